-- register.1.lua: a new version of a workflow, unless its content is that of the newest.
-- KEYS  1 workflows: hash `<name>@<version>` → record, `<name>#latest` → version, `hash:<sha>` → `<name>@<version>`
-- ARGV  1 name   2 hash   3 canonical JSON of the definition
-- Result {version, 1: created | 0: was there}
-- Touches: the hash. A record is {"hash", "createdAtMs", "definition"}. A repeat finds its own version.
local latest = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. '#latest') or '0')
local newest = ARGV[1] .. '@' .. latest
-- the record, not `hash:`: that one names the last version with the content, whatever came after it
local text = redis.call('HGET', KEYS[1], newest)
local start = '{"hash":"' .. ARGV[2] .. '",'
if text and string.sub(text, 1, #start) == start then return { latest, 0 } end
local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', time[2] / 1000)
local version = ARGV[1] .. '@' .. (latest + 1)
redis.call('HSET', KEYS[1], version, start .. '"createdAtMs":' .. now .. ',"definition":' .. ARGV[3] .. '}',
  ARGV[1] .. '#latest', latest + 1, 'hash:' .. ARGV[2], version)
return { latest + 1, 1 }
