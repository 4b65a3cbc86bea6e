-- circuit-state.1.lua: the first part of every circuit script, and alone the one that reads. The rules: circuits/circuit-store.ts.
-- KEYS  1 circuit: hash of FIELDS, and `pass:<token>` -> ms of each call that a wave let through and that has not ended
-- ARGV  1 dependency   2 channel   3 tuning, JSON   4.. of the script itself
-- Result of all: JSON {dependency, verdict, nowMs, circuit: FIELDS, none when there is no hash}
-- Touches: circuit. Every change of state has a new epoch and is published, as the same JSON.
-- An epoch is the time in us, so it also grows when the hash was forgotten in between.
local FIELDS = { 'state', 'epoch', 'atMs', 'openedAtMs', 'probeAtMs', 'probes', 'probe', 'probeUntilMs', 'wave', 'waveAtMs',
  'admitted', 'ok', 'failed', 'turned', 'why', 'forced', 'by', 'reason' }
local NO_PROBE = { probe = '', probeUntilMs = '' }
local NO_WAVE = { wave = '', waveAtMs = '', admitted = '', ok = '', failed = '', turned = '' }
local key, tuning, time, circuit = KEYS[1], cjson.decode(ARGV[3]), redis.call('TIME'), {}
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)

for i, value in ipairs(redis.call('HMGET', key, unpack(FIELDS))) do circuit[FIELDS[i]] = value or nil end
local state = circuit.state or 'closed'
local function int(name) return tonumber(circuit[name] or '') or 0 end
local function text(value) return type(value) == 'number' and string.format('%.0f', value) or value end

local function answer(verdict)
  return cjson.encode({ dependency = ARGV[1], verdict = verdict, nowMs = now, circuit = circuit })
end

-- '' takes a field away
local function set(...)
  for _, fields in ipairs({ ... }) do
    for name, value in pairs(fields) do
      circuit[name] = value ~= '' and text(value) or nil
      if value == '' then redis.call('HDEL', key, name) else redis.call('HSET', key, name, text(value)) end
    end
  end
end

-- into another state: its epoch, how long it is kept when nobody uses it, and the news; calls of a wave are forgotten
local function change(...)
  redis.call('DEL', key)
  for name, value in pairs(circuit) do redis.call('HSET', key, name, value) end
  set({ epoch = math.max(us, int('epoch') + 1), atMs = now }, ...)
  state = circuit.state
  if not circuit.forced then redis.call('PEXPIRE', key, state == 'closed' and tuning.closedKeepMs or tuning.idleKeepMs) end
  redis.call('PUBLISH', ARGV[2], answer('changed'))
end

local function open(why, probes)
  local reset = math.min(tuning.resetMs * 2 ^ math.min(probes, 30), tuning.maxResetMs)
  local since = state == 'closed' and now or int('openedAtMs')
  change(NO_PROBE, NO_WAVE,
    { state = 'open', why = why, probes = probes, openedAtMs = since, probeAtMs = now + reset })
end

local function close()
  change(NO_PROBE, NO_WAVE, { state = 'closed', why = '', probes = '', openedAtMs = '', probeAtMs = '' })
end
