-- provider-pause.1.lua: nothing of a model is granted for a while. The longest pause wins.
-- KEYS  1 state, as in provider-slot.7.lua
-- ARGV  1 for how long, us   2 why
-- Result 1: it is paused so long now, 0: it was for longer
-- Touches: state.
local time = redis.call('TIME')
local to = time[1] * 1000000 + time[2] + ARGV[1]
if to <= tonumber(redis.call('HGET', KEYS[1], 'until') or 0) then return 0 end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', to), 'why', ARGV[2])
redis.call('PEXPIRE', KEYS[1], 86400000)
return 1
