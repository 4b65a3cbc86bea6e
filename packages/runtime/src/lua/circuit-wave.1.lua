-- circuit-wave.1.lua: what moves a recovery on. Second part of circuit-enter.1.lua and circuit-report.1.lua, after
-- circuit-state.1.lua, as one script with them.
-- KEYS  1, ARGV 3, see there
-- Touches: circuit.
-- A wave of n calls gives way to one of 2n when n have ended; or, where fewer than n come, when all that came have
-- ended and its time is over. The last one closes the circuit. A wave whose calls got lost with their workers, or
-- take very long, admits n more each time its lease is over.

-- calls under way; those older than the lease may have died with their worker
local function under_way()
  local count, fields = 0, redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local lives = now - tonumber(string.sub(fields[i], 1, 5) == 'pass:' and fields[i + 1] or 0) < tuning.waveLeaseMs
    if lives then count = count + 1 end
  end
  return count
end

local function start(wave, ok, failed)
  set({ wave = wave, waveAtMs = now, admitted = 0, ok = ok, failed = failed, turned = 0 })
end

local function advance()
  local wave, age, ended = int('wave'), now - int('waveAtMs'), int('ok') + int('failed')
  local quiet = age >= tuning.waveMs and int('ok') > 0 and under_way() == 0
  if ended >= wave or quiet then
    if wave * 2 > tuning.lastWave then close() else start(wave * 2, 0, 0) end
  elseif age >= tuning.waveLeaseMs then
    start(wave, int('ok'), int('failed'))
  end
end
