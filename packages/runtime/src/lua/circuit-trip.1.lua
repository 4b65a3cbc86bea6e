-- circuit-trip.1.lua: a worker's own count opens the circuit. Goes on where circuit-state.1.lua ends, as one script with it.
-- KEYS  1, ARGV 3, see there
-- ARGV  4 epoch the worker counted under   5 why
-- Result verdict `opened`, or `kept`: it is not closed, or was opened and closed again since, or an operator holds it
-- Touches: circuit.
local late = circuit.epoch and circuit.epoch ~= ARGV[4]
if state ~= 'closed' or circuit.forced or late then return answer('kept') end
open(ARGV[5], 0)
return answer('opened')
