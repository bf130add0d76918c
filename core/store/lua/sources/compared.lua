-- What a comparison with Smartsupp has found, by the account's name in relay.yaml. -> 1, or 0: the lease was lost
--- args: token, source, comparison
if token ~= '' and redis.call('GET', PREFIX .. 'catching-up') ~= token then return 0 end
redis.call('HSET', PREFIX .. 'compared', source, comparison)
return 1
