-- own.1.lua: takes or renews the lease of a shard, in Redis's time.
-- KEYS  1 owner: hash engine, epoch, untilMs, tookClean
-- ARGV  1 engine   2 lease, ms
-- Result {epoch, '1' when the owner before this one released it} | nil while another engine's lease runs
-- Touches: owner. It has no expiry, so no epoch is given out twice. An empty engine means released. An engine whose
-- lease ran out while nobody came renews it: nobody wrote meanwhile. A repeat of a take answers like the take.
local was = redis.call('HMGET', KEYS[1], 'engine', 'epoch', 'untilMs', 'tookClean')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local untilMs = string.format('%.0f', now + ARGV[2])
if was[1] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'untilMs', untilMs)
  return { was[2], was[4] }
end
local free = not was[1] or was[1] == ''
if not free and tonumber(was[3]) > now then return false end
local clean = free and '1' or '0'
redis.call('HSET', KEYS[1], 'engine', ARGV[1], 'untilMs', untilMs, 'tookClean', clean)
return { tostring(redis.call('HINCRBY', KEYS[1], 'epoch', 1)), clean }
