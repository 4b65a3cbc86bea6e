export { schemaErrors } from './definition-schemas.ts'
export { createSchemaChecks, inWords, type JsonSchema, type SchemaChecks } from './schema-checks.ts'
