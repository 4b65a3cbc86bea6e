-- release.4.lua: gives a place under a limit of the fleet back, or leaves the queue for one.
-- KEYS  1 places   2 queue   3 due   4 who, as in take.4.lua
-- ARGV  1 holder   2 sequence of the event that ended it
-- Result 1: released, 0: it was not there, or has asked since that event (a repeat, too)
-- Touches: all KEYS. A start of a rate stays counted, but is nobody's any more: who asks again starts again.
local call = redis.call
local asked = string.match(call('HGET', KEYS[4], ARGV[1]) or '', '^(%S+)')
local since = call('ZSCORE', KEYS[1], ARGV[1])
local per = call('HGET', KEYS[4], 'per')
if asked and tonumber(asked) >= tonumber(ARGV[2]) or not asked and not since then return 0 end
call('ZREM', KEYS[1], ARGV[1])
if per and since then call('ZADD', KEYS[1], since, since .. ' ' .. ARGV[1]) end
call('ZREM', KEYS[2], ARGV[1])
call('ZREM', KEYS[3], ARGV[1])
call('HDEL', KEYS[4], ARGV[1])
if not per and call('EXISTS', KEYS[1]) == 0 then call('PEXPIRE', KEYS[4], 86400000) end
return 1
