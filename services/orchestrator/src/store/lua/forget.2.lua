-- forget.2.lua: forgets a worker that holds no claims in the shard any more; one that claimed meanwhile stays.
-- KEYS  1 claimants   2 claims of the worker
-- ARGV  1 worker
-- Result 1: forgotten, 0: it holds claims, or was not there
-- Touches: claimants.
if redis.call('SCARD', KEYS[2]) > 0 then return 0 end
return redis.call('SREM', KEYS[1], ARGV[1])
