// Package redisstate keeps the state that replicas share in Redis: records of live tokens,
// last uses that are not in the store yet, and rate limits. Nothing in it is truth. Every
// write waits in memory and is made behind the requests, so that none of them waits for Redis.
//
// # Servers
//
// Redis 7.0 or newer, or Valkey, alone, behind Sentinel or as a Cluster:
//
//	redis://[user:password@]host[:port][/database]
//	redis+sentinel://[user:password@]host[:port],host[:port]/master-name[/database]
//	redis+cluster://[user:password@]host[:port],host[:port]
//
// With rediss in place of redis the connections use TLS; the query then may name ca_file,
// and cert_file with key_file. With Sentinel it may name sentinel_username and
// sentinel_password. The server's maxmemory-policy is to be noeviction.
//
// # Keys
//
// Every key begins with the prefix, and nothing else is ever touched:
//
//	PREFIX:{ACCOUNT-ID}:live    sorted set, a record of a token each, by its expiry
//	PREFIX:{ACCOUNT-ID}:uses    sorted set, a last use each, by secret and time
//	PREFIX:limit:HASH           hash, what each replica counts in its running window
//
// Each expires by itself two days after the last of its content, so that a wrong clock of
// Redis loses nothing. What has expired is decided by this process's clock alone.
//
// # Rights
//
// These suffice to a user of Redis, with its own prefix in the place of signet:
//
//	ACL SETUSER signet on >PASSWORD resetchannels ~signet:* -@all
//	  +ping +info +scan +zadd +zrange +zrem +zcard +zremrangebyscore +zremrangebyrank
//	  +zremrangebylex +pexpire +unlink +hset +hgetall
//
// A database other than 0 also takes +select. In a Cluster add
//
//	+cluster|slots +asking
//
// and to a user of Sentinel give
//
//	ACL SETUSER signet on >PASSWORD resetkeys allchannels -@all
//	  +ping +subscribe +sentinel|get-master-addr-by-name +sentinel|sentinels
package redisstate
