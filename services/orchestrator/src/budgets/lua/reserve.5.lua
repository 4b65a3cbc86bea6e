-- reserve.5.lua: what a model call may use at most, reserved in every budget that holds for it, or in none.
-- KEYS  1 held: hash holder → `<tokens> <micro-dollars> <counters> <day> <lost> <workflow> <agent or ->`
--       2 to 5 counters of the run, of its workflow today, of the namespace today, of the agent: hash tokens, usd
--       (spent), heldTokens, heldUsd (of calls under way)
-- ARGV  1 holder   2 tokens   3 micro-dollars   4 day   5 time to live of a day's counter, ms   6 of a run's, ms
--       7 workflow   8 agent, or ''   9.. for each counter: 1: it counts | 0, most tokens or '', most micro-dollars or ''
-- Result {1} reserved, or it was already | {0, counter 1..4, 'tokens' | 'usd', cap, spent, reserved}
-- Touches: all KEYS.
local call, holder, tokens, usd = redis.call, ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if call('HEXISTS', KEYS[1], holder) == 1 then return { 1 } end

local counted = ''
for i = 1, 4 do
  local at = 6 + i * 3
  if ARGV[at] == '1' then
    counted = counted .. i
    local now = call('HMGET', KEYS[i + 1], 'tokens', 'heldTokens', 'usd', 'heldUsd')
    local function over(unit, cap, needed, spent, held)
      spent, held, cap = tonumber(spent or '0'), tonumber(held or '0'), tonumber(cap)
      if cap and needed > 0 and spent + held + needed > cap then return { 0, i, unit, cap, spent, held } end
    end
    local refusal = over('tokens', ARGV[at + 1], tokens, now[1], now[2]) or over('usd', ARGV[at + 2], usd, now[3], now[4])
    if refusal then return refusal end
  end
end
for i = 1, 4 do
  if string.find(counted, i, 1, true) then
    call('HINCRBY', KEYS[i + 1], 'heldTokens', tokens)
    call('HINCRBY', KEYS[i + 1], 'heldUsd', usd)
    call('PEXPIRE', KEYS[i + 1], (i == 1 or i == 4) and ARGV[6] or ARGV[5])
  end
end
local agent = ARGV[8] == '' and '-' or ARGV[8]
call('HSET', KEYS[1], holder,
  table.concat({ tokens, usd, counted == '' and '-' or counted, ARGV[4], 0, ARGV[7], agent }, ' '))
call('PEXPIRE', KEYS[1], ARGV[6])
return { 1 }
