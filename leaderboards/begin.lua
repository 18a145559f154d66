-- Begins a generation, above all that there are; from now on every write goes to it too.
-- KEYS[1]  the season's generations     ARGV  the generation that readers use, what its token ends with
-- Returns the generation and its token: the server's run id, and what was given.
local generation = tonumber(ARGV[1])
for _, known in ipairs(redis.call('HKEYS', KEYS[1])) do generation = math.max(generation, tonumber(known)) end
generation = generation + 1
local token = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') .. ' ' .. ARGV[2]
redis.call('HSET', KEYS[1], generation, token)
return {generation, token}
