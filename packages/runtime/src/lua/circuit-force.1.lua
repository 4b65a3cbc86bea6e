-- circuit-force.1.lua: an operator holds a circuit open or closed, or lets go. Goes on where circuit-state.1.lua ends.
-- KEYS  1, ARGV 3, see there
-- ARGV  4 `open`, `closed`, or empty: let go   5 by   6 reason
-- Result verdict `forced`, or `kept`: it is so already
-- Touches: circuit. A held one is kept until it is let go.
local force, by, reason = ARGV[4], ARGV[5], ARGV[6]
local same = (circuit.forced or '') == force
if same and (force == '' or (circuit.by == by and (circuit.reason or '') == reason)) then return answer('kept') end

local held = { forced = force, by = force ~= '' and by or '', reason = force ~= '' and reason or '' }
local since = state == 'closed' and now or int('openedAtMs')
local closed = { state = 'closed', why = '', probes = '', openedAtMs = '', probeAtMs = '' }
if force == 'open' then
  change(NO_PROBE, NO_WAVE, held, { state = 'open', openedAtMs = since, probeAtMs = '' })
elseif force == 'closed' or circuit.forced == 'closed' then
  change(NO_PROBE, NO_WAVE, held, closed)
else
  -- what was held open is tried with care: a probe at once, then waves
  change(NO_PROBE, NO_WAVE, held, { state = 'open', openedAtMs = since, probeAtMs = now })
end
return answer('forced')
