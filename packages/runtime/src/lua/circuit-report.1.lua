-- circuit-report.1.lua: how a probe, or a call of a wave, ended. Goes on where circuit-wave.1.lua ends.
-- KEYS  1, ARGV 3, see circuit-state.1.lua
-- ARGV  4 token   5 `ok`, `failed`, or `nothing`: broken off by us   6 why
-- Result verdict `taken`, or `late`: the lease went to another, the circuit has moved on, or it was told before
-- Touches: circuit.
local token, said, why = ARGV[4], ARGV[5], ARGV[6]
if circuit.probe and circuit.probe == token then
  if said == 'failed' then
    open(why, int('probes') + 1)
  elseif said == 'nothing' then
    -- the lease goes back: whoever comes next may probe at once
    change(NO_PROBE, { state = 'open', probeAtMs = now })
  else
    -- the probe was the wave of one
    change(NO_PROBE,
      { state = 'recovering', wave = 2, waveAtMs = now, admitted = 0, ok = 0, failed = 0, turned = 0 })
  end
  return answer('taken')
end
if redis.call('HDEL', key, 'pass:' .. token) == 0 then return answer('late') end
if said == 'nothing' then
  set({ admitted = math.max(0, int('admitted') - 1) })
  return answer('taken')
end
set({ [said] = int(said) + 1 })
-- a large wave bears a failure in four; of one or two calls none
if int('failed') > math.floor(int('wave') / 4) then open(why, int('probes') + 1) else advance() end
return answer('taken')
