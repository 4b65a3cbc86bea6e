-- unsent.1.lua: messages that have not left for longer than they should, oldest first.
-- KEYS  1 unsent: zset `<ns>~<run>|<message>` by the Redis time of its append
-- ARGV  1 older than, ms   2 most
-- Result the members
-- Touches: nothing.
local time = redis.call('TIME')
local before = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', 0, ARGV[2])
