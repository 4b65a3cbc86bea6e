-- release.1.lua: gives a shard up, so that the next owner takes it at once and knows that nothing was cut short.
-- KEYS  1 owner
-- ARGV  1 engine   2 epoch
-- Result 1: released, 0: it was not this engine's under this epoch (a repeat, too)
-- Touches: owner.
local was = redis.call('HMGET', KEYS[1], 'engine', 'epoch')
if was[1] ~= ARGV[1] or was[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'engine', '', 'untilMs', '0')
return 1
