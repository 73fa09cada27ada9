#!/bin/sh
# Makes what compose.yaml needs: keys and passwords in ./secrets, and a certificate for localhost. It never
# overwrites any of them.
set -eu
cd "$(dirname "$0")"

if [ -e secrets ]; then
	echo "setup.sh: secrets/ is there already; remove it only if no database depends on it" >&2
	exit 1
fi
umask 077
mkdir secrets
secret() { openssl rand -hex 24; }

openssl rand -base64 32 >secrets/master.key
secret >secrets/postgres_superuser_password
secret >secrets/postgres_password
redis_password=$(secret)
printf 'postgres://signet:%s@postgres:5432/signet?sslmode=disable\n' "$(cat secrets/postgres_password)" >secrets/database_url
printf 'redis://signet:%s@redis:6379\n' "$redis_password" >secrets/redis_url
hash=$(printf %s "$redis_password" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
sed "s/PASSWORD_SHA256/$hash/" redis/users.acl >secrets/redis_users.acl

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout secrets/tls.key -out secrets/tls.crt 2>/dev/null
cat secrets/tls.crt secrets/tls.key >secrets/tls.pem

# Other users of this machine do not get into the folder. In the containers each has a user of its
# own, who must be able to read what is mounted.
chmod 444 secrets/*
chmod 400 secrets/tls.key
echo "made secrets/" >&2
