-- provider-acquire.7.lua: leave for one call, or a ticket and when to come back. Goes on where provider-slot.7.lua
-- ends, as one script with it: KEYS, ARGV and all local names are that one's. The rules: provider-limits/port.ts.
-- KEYS  7, ARGV 20, see there
-- Result {1, granted at} | {0, us to wait, tickets before it, reason, why of the pause}
-- Touches: all KEYS. The meters never run ahead of what was granted by more than the burst, so the slot of a ticket is
-- a promise to be judged by them, and no more: late ones who come together are told anew, in order.
local function text(number) return string.format('%.0f', number) end
call('HSET', KEYS[1], 'limits', table.concat(ARGV, ' ', 6, 10))
local granted = fits and (first or known and ticket[7] <= now)

if granted then
  local minute = math.floor(now / MINUTE)
  for d = 1, 3 do
    if rate[d] > 0 then call('HSET', KEYS[1], 'tat' .. d, text(max(state[d], now) + cost[d])) end
    if known and ticket[8] == 0 then call('HINCRBY', KEYS[1], 'served' .. d, text(ticket[3 + d])) end
    call('HINCRBY', KEYS[7], minute .. ':' .. d, text(work[d]))
    call('HDEL', KEYS[7], minute - 2 .. ':' .. d, minute - 3 .. ':' .. d)
  end
  call('HDEL', KEYS[2], task)
  call('ZREM', KEYS[3], task)
  call('HSET', KEYS[4], task, ARGV[2] .. ' ' .. text(now))
  call('ZADD', KEYS[5], text(now + arg[16]), task)
  call('ZADD', KEYS[6], text(now + arg[16]), ARGV[3])
else
  for d = 1, 3 do
    if not known then call('HINCRBY', KEYS[1], 'queued' .. d, text(work[d]))
    elseif ticket[8] == 1 then call('HINCRBY', KEYS[1], 'served' .. d, text(0 - ticket[3 + d])) end
  end
  ticket[7], ticket[8] = slot, 0
  local parts = {}
  for i = 1, 8 do parts[i] = text(ticket[i]) end
  call('HSET', KEYS[2], task, table.concat(parts, ' '))
end

-- a long line is looked at half-way: those before may be gone. But not during a pause
local wait = slot - from
if wait > arg[14] then wait = min(max(arg[14], wait / 2), arg[15]) end
if not granted then call('ZADD', KEYS[3], text(from + wait), task) end
for key = 1, 6 do call('PEXPIRE', KEYS[key], 86400000) end
call('PEXPIRE', KEYS[7], 120000)
if granted then return { 1, text(now) } end
return { 0, text(from + wait - now), ahead, from > now and 'paused' or reason, call('HGET', KEYS[1], 'why') or '' }
