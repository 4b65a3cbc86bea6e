// The door of local-redis: a Redis server on a machine that may have none.
export { dockerAnswers, findRedisServer, NoRedisError, type RedisServer } from './find.ts'
export { freePort, freePorts } from './port.ts'
export { type LocalRedis, type LocalRedisOptions, startLocalRedis } from './server.ts'
