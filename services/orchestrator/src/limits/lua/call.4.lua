-- call.4.lua: whose turn it is: the first waiters, as many as there are places free by the limit each has named.
-- KEYS  1 places   2 queue   3 due   4 who, as in take.4.lua
-- ARGV  1 late, ms   2 forgotten, ms   3 who was called so many ms ago and has not come is called again; '' never
--       4 most
-- Result {waiter, …}
-- Touches: due: who is called is expected now. Queue, due, who: those who are late, as in take.4.lua.
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end

for _, late in ipairs(call('ZRANGEBYSCORE', KEYS[3], '-inf', text(now - ARGV[1] * 1000), 'LIMIT', 0, 1000)) do
  if call('ZREM', KEYS[2], late) == 1 then call('ZADD', KEYS[3], text(now + ARGV[2] * 1000), late)
  else call('HDEL', KEYS[4], late); call('ZREM', KEYS[3], late) end
end
local per = tonumber(call('HGET', KEYS[4], 'per'))
local used = per and call('ZCOUNT', KEYS[1], '(' .. text(now - per * 1000), '+inf') or call('ZCARD', KEYS[1])
local called = {}
for ahead = 0, ARGV[4] - 1 do
  local waiter = call('ZRANGE', KEYS[2], ahead, ahead)[1]
  local limit = string.match(waiter and call('HGET', KEYS[4], waiter) or '', '^%S+ (%S+)')
  if ahead >= tonumber(limit or 0) - used then break end
  local due = tonumber(call('ZSCORE', KEYS[3], waiter))
  local again = ARGV[3] ~= '' and due < now - ARGV[3] * 1000
  if due > now then call('ZADD', KEYS[3], text(now), waiter) end
  if due > now or again then called[#called + 1] = waiter end
end
return called
