// For tests: as much of kustomize as k8s/ uses (resources, components, strategic merge patches, images, namespace), so
// that what an overlay comes to can be checked without a cluster. An unknown field of a kustomization is an error.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'

const kustomizationSchema = z.strictObject({
  apiVersion: z.string().startsWith('kustomize.config.k8s.io/'),
  kind: z.enum(['Kustomization', 'Component']),
  namespace: z.string().optional(),
  resources: z.array(z.string()).default([]),
  components: z.array(z.string()).default([]),
  images: z.array(z.strictObject({ name: z.string(), newTag: z.string() })).default([]),
  patches: z.array(z.strictObject({ path: z.string() })).default([]),
})

export const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).optional() }),
})
export type KubernetesObject = z.infer<typeof objectSchema>

const FILE = 'kustomization.yaml'
const idOf = ({ kind, metadata }: KubernetesObject): string => `${kind}/${metadata.name}`

/** Every document of a YAML file. Throws on anything that YAML 1.2 warns of, such as a key that is there twice. */
export const documentsOf = (file: string): unknown[] =>
  parseAllDocuments(readFileSync(file, 'utf8'), { merge: true }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem) throw new Error(`${file}: ${problem.message}`)
    return document.toJS()
  })

export const objectsOf = (file: string): KubernetesObject[] =>
  documentsOf(file).map((document) => objectSchema.parse(document))

type Tree = { [key: string]: unknown }
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
const nameOf = (value: unknown): string | null => (isTree(value) && typeof value.name === 'string' ? value.name : null)

/** Lists of named things (containers, variables, volumes) are merged by name; other lists are replaced. */
const mergeLists = (base: unknown[], patch: unknown[]): unknown[] => {
  if (![...base, ...patch].every((item) => nameOf(item) !== null)) return patch
  const merged = base.map((item) => {
    const change = patch.find((one) => nameOf(one) === nameOf(item))
    return change === undefined ? item : merge(item, change)
  })
  const added = patch.filter((one) => !base.some((item) => nameOf(item) === nameOf(one)))
  return [...merged, ...added.map((one) => merge({}, one))]
}

const merge = (base: unknown, patch: unknown): unknown => {
  if (Array.isArray(base) && Array.isArray(patch)) return mergeLists(base, patch)
  if (!isTree(patch)) return patch
  const result: Tree = isTree(base) ? { ...base } : {}
  for (const [key, value] of Object.entries(patch)) {
    // null takes a field away
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
  }
  return result
}

const patched = (objects: KubernetesObject[], file: string): KubernetesObject[] => {
  const patches = objectsOf(file)
  for (const patch of patches) {
    if (!objects.some((one) => idOf(one) === idOf(patch)))
      throw new Error(`${file}: there is no ${idOf(patch)} to change`)
  }
  return objects.map((one) =>
    patches
      .filter((patch) => idOf(patch) === idOf(one))
      .reduce((it, patch) => objectSchema.parse(merge(it, patch)), one),
  )
}

const added = (objects: KubernetesObject[], more: KubernetesObject[], from: string): KubernetesObject[] => {
  const twice = more.find((one) => objects.some((other) => idOf(one) === idOf(other)))
  if (twice) throw new Error(`${from}: ${idOf(twice)} is there already`)
  return [...objects, ...more]
}

const withImages = (value: unknown, images: ReadonlyMap<string, string>): unknown => {
  if (Array.isArray(value)) return value.map((item) => withImages(item, images))
  if (!isTree(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const tag = key === 'image' && typeof inner === 'string' ? images.get(inner) : undefined
      return [key, tag === undefined ? withImages(inner, images) : `${inner}:${tag}`]
    }),
  )
}

const CLUSTER_WIDE = new Set(['Namespace'])

/** What `kubectl kustomize DIR` comes to, for the fields above. `from`: what a component is applied to. */
export const render = (dir: string, from: KubernetesObject[] = []): KubernetesObject[] => {
  const file = join(dir, FILE)
  const kustomization = kustomizationSchema.parse(documentsOf(file)[0])
  let objects = from
  for (const path of kustomization.resources.map((resource) => join(dir, resource))) {
    objects = added(objects, path.endsWith('.yaml') ? objectsOf(path) : render(path), path)
  }
  for (const component of kustomization.components) objects = render(join(dir, component), objects)
  for (const { path } of kustomization.patches) objects = patched(objects, join(dir, path))
  const images = new Map(kustomization.images.map(({ name, newTag }) => [name, newTag]))
  const { namespace } = kustomization
  return objects
    .map((one) => objectSchema.parse(withImages(one, images)))
    .map((one) => {
      if (namespace === undefined || CLUSTER_WIDE.has(one.kind)) return one
      return { ...one, metadata: { ...one.metadata, namespace } }
    })
}

/** YAML files below `dir` that no kustomization beside them mentions. */
export const strayFiles = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.yaml') && !path.endsWith(FILE))
    .filter((path) => {
      const { resources, patches } = kustomizationSchema.parse(documentsOf(join(dir, dirname(path), FILE))[0])
      const name = path.slice(dirname(path).length + 1)
      return ![...resources, ...patches.map((patch) => patch.path)].includes(name)
    })
