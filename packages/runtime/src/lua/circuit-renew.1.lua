-- circuit-renew.1.lua: the holder of the probe lives. Goes on where circuit-state.1.lua ends, as one script with it.
-- KEYS  1, ARGV 3, see there
-- ARGV  4 token
-- Result verdict `renewed`, or `lost`: the probe is another's, or the circuit has moved on
-- Touches: circuit.
if not circuit.probe or circuit.probe ~= ARGV[4] then return answer('lost') end
set({ probeUntilMs = now + tuning.leaseMs })
return answer('renewed')
