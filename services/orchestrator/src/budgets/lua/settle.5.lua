-- settle.5.lua: a model call is over: what it used is spent, and nothing of it is reserved any more.
-- KEYS  as reserve.5.lua; the counters are those of the day of the reservation
-- ARGV  1 holder   2 tokens used, or '' when nobody knows: what was reserved counts as spent   3 micro-dollars used, or ''
-- Result 1: settled | 0: nothing is reserved by it, or it is not known again
-- Touches: all KEYS. A call that nobody knew of may be settled by what it used after all.
local call, holder = redis.call, ARGV[1]
local entry = call('HGET', KEYS[1], holder)
if not entry then return 0 end
local tokens, usd, counted, day, lost, whose = string.match(entry, '^(%S+) (%S+) (%S+) (%S+) (%S+) (.+)$')
local unknown = ARGV[2] == ''
if unknown and lost == '1' then return 0 end
local usedTokens, usedUsd = unknown and tokens or ARGV[2], unknown and usd or ARGV[3]
for i = 1, 4 do
  -- a counter whose day is long over is not made again
  if string.find(counted, i, 1, true) and call('EXISTS', KEYS[i + 1]) == 1 then
    if lost == '1' then
      call('HINCRBY', KEYS[i + 1], 'tokens', usedTokens - tokens)
      call('HINCRBY', KEYS[i + 1], 'usd', usedUsd - usd)
    else
      call('HINCRBY', KEYS[i + 1], 'heldTokens', -tokens)
      call('HINCRBY', KEYS[i + 1], 'heldUsd', -usd)
      call('HINCRBY', KEYS[i + 1], 'tokens', usedTokens)
      call('HINCRBY', KEYS[i + 1], 'usd', usedUsd)
    end
  end
end
if unknown then call('HSET', KEYS[1], holder, table.concat({ tokens, usd, counted, day, 1, whose }, ' '))
else call('HDEL', KEYS[1], holder) end
return 1
