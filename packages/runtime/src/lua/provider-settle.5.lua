-- provider-settle.5.lua: a call has ended: its place is free, its tokens are counted as what they were.
-- KEYS  1 state   2 permits   3 places   4 places of the provider   5 used, as in provider-slot.7.lua
-- ARGV  1 task   2 token   3 its name among the places of the provider   4, 5 estimate: input, output
--       6, 7 what was used: input, output; '': it was never sent   8..10 requests, input, output per minute
-- Result 1: settled, 0: there is no such permit (a repeat; or its lease is over)
-- Touches: all KEYS. A meter that is set back behind the clock counts from the clock, so nothing is granted twice.
local call, MINUTE = redis.call, 60000000
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end
local at = string.match(call('HGET', KEYS[2], ARGV[1]) or '', '^%S+ (%d+)$')
if not at or string.match(call('HGET', KEYS[2], ARGV[1]), '^%S+') ~= ARGV[2] then return 0 end
call('HDEL', KEYS[2], ARGV[1])
call('ZREM', KEYS[3], ARGV[1])
call('ZREM', KEYS[4], ARGV[3])

local sent = ARGV[6] ~= ''
local more = sent and { 0, ARGV[6] - ARGV[4], ARGV[7] - ARGV[5] } or { -1, 0 - ARGV[4], 0 - ARGV[5] }
local minute = math.floor(at / MINUTE)
for d = 1, 3 do
  local rate, field = tonumber(ARGV[7 + d]), minute .. ':' .. d
  local tat = call('HGET', KEYS[1], 'tat' .. d)
  if rate > 0 and tat and more[d] ~= 0 then
    call('HSET', KEYS[1], 'tat' .. d, text(tat + math.ceil(more[d] * MINUTE / rate)))
  end
  if call('HEXISTS', KEYS[5], field) == 1 then call('HINCRBY', KEYS[5], field, text(more[d])) end
end
if sent then
  local mean = tonumber(call('HGET', KEYS[1], 'mean') or now - at)
  call('HSET', KEYS[1], 'mean', text(mean + (now - at - mean) / 10))
end
return 1
