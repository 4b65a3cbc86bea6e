-- circuit-read.1.lua: the circuit as it is. Goes on where circuit-state.1.lua ends, as one script with it.
-- KEYS  1, ARGV 3, see there
-- Result verdict `read`
-- Touches: nothing.
return answer('read')
