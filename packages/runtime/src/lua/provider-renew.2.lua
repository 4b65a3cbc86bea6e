-- provider-renew.2.lua: a call goes on: its lease is longer. One that ran out, or was settled, stays so.
-- KEYS  1 places   2 places of the provider, as in provider-slot.7.lua
-- ARGV  1 lease, us   2 task   3 its name among the places of the provider
-- Result 1: renewed, 0: the place is gone
-- Touches: both.
local time = redis.call('TIME')
local to = string.format('%.0f', time[1] * 1000000 + time[2] + ARGV[1])
redis.call('ZADD', KEYS[2], 'XX', to, ARGV[3])
redis.call('ZADD', KEYS[1], 'XX', to, ARGV[2])
return redis.call('ZSCORE', KEYS[1], ARGV[2]) and 1 or 0
