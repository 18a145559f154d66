-- Tells how a generation was built, and which run of the server answers.
-- KEYS[1]  the season's generations     ARGV  generation
-- Returns its token, or nil where it is not there, and the server's run id.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
return {redis.call('HGET', KEYS[1], ARGV[1]), run}
