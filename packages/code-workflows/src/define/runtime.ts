// Where the part of this package lies that a workflow's bundle is made with.

/** The module that `import … from 'stepfleet'` is inside the bundle of a workflow. */
export const WORKFLOW_RUNTIME = new URL(
  import.meta.url.endsWith('.ts') ? './module.ts' : './module.js',
  import.meta.url,
)
