-- circuit-enter.1.lua: may a call go through a circuit that is not closed? Goes on where circuit-wave.1.lua ends.
-- KEYS  1, ARGV 3, see circuit-state.1.lua
-- ARGV  4 token of the call: asked again under it, the answer is the same
-- Result verdict `closed` (go, counted by the worker), `probe` or `wave` (go, and report), `refused`
-- Touches: circuit.
local token = ARGV[4]
if circuit.forced == 'open' then return answer('refused') end
if state == 'closed' then return answer('closed') end
if state == 'halfOpen' and circuit.probe == token then return answer('probe') end

local due = state == 'open' and now >= int('probeAtMs') or state == 'halfOpen' and now >= int('probeUntilMs')
if due then
  change({ state = 'halfOpen', probe = token, probeUntilMs = now + tuning.leaseMs, probeAtMs = '' })
  return answer('probe')
end
if state ~= 'recovering' then return answer('refused') end

if redis.call('HEXISTS', key, 'pass:' .. token) == 1 then return answer('wave') end
advance()
if state == 'closed' then return answer('closed') end
if int('admitted') < int('wave') then
  set({ admitted = int('admitted') + 1 })
  redis.call('HSET', key, 'pass:' .. token, text(now))
  return answer('wave')
end
set({ turned = int('turned') + 1 })
return answer('refused')
