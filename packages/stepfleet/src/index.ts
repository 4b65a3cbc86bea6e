// The public package: what users of Stepfleet import.
export * from './tool.ts'
export * from './tool-error.ts'
