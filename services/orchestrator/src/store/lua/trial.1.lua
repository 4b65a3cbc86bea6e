-- trial.1.lua: counts one more trial of an entry before it is tried alone.
-- KEYS  1 trials: hash entry id → `<count>|<nonce of the last one counted>`
-- ARGV  1 entry id   2 nonce: a re-sent command must not count twice, or a harmless entry could be buried
-- Result the count
-- Touches: trials.
local count, nonce = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '0|', '^(%d+)|(.*)$')
if nonce == ARGV[2] then return tonumber(count) end
redis.call('HSET', KEYS[1], ARGV[1], (count + 1) .. '|' .. ARGV[2])
return count + 1
