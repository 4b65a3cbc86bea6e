// The door of the test kit: a real Redis, a real cluster, faults on the wire, and waiting for conditions.
export { startRedisCluster, type TestCluster } from './cluster.ts'
export { type EventuallyOptions, eventually } from './eventually.ts'
export { type FaultProxy, faultProxy } from './fault-proxy.ts'
export { startRedis, type TestRedis, type TestRedisOptions } from './redis.ts'
export { type Rng, rng } from './rng.ts'
