-- Keep the lease on catch-ups for as long again. -> 1, or 0: it was lost, or this one is finished
--- args: token, id
--- uses: catching
if not catches_up(token, id) then return 0 end
return redis.call('PEXPIRE', PREFIX .. 'catching-up', CATCH_UP_LEASE_MS)
