// What `import … from 'stepfleet'` gives inside the bundle of a workflow: no more than its code needs.
export { defineWorkflow } from './define-workflow.ts'
export { isStepError, StepError } from './step-error.ts'
