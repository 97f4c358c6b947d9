#!/usr/bin/env bash
# What README.md tells a newcomer to type, on the machine of machine.sh: start, apply, ask the
# Service, look, Ctrl-C, start again, remove, and the tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
log=/tmp/up.log
say() { printf '\n== %s\n' "$*"; }
# await SECONDS COMMAND…: until it succeeds.
await() {
  local deadline=$((SECONDS + $1))
  until "${@:2}"; do
    [ $SECONDS -lt $deadline ] || { echo "waited in vain for: ${*:2}"; cat $log; return 1; }
    sleep 0.5
  done
}
start() {
  npm start >$log 2>&1 & up=$!
  await 240 grep -E '^Wherry is ready|^wherry: ' $log
}
stop() {
  # As a terminal does: to the program itself, not to npm's shell before it.
  kill -INT "$(sed 's/.*"pid":\([0-9]*\).*/\1/' .wherry/lock)"
  wait $up
}
page() {
  local address
  address=$(npx wherry get service nginx -o json | node -pe 'JSON.parse(fs.readFileSync(0)).spec.clusterIP')
  node -e 'fetch(`http://${process.argv[1]}/`).then((it) => it.text()).then(console.log)' "$address"
}
served() { page | grep -o 'nginx-[a-z0-9]*-[a-z0-9]*'; }

# The network is not this machine's alone: leave it as it was, also after a failure.
trap 'npx wherry down --purge' EXIT

say "npm start"
start
cat $log
say "apply, get, and ask the Service"
npx wherry apply -f manifests/examples/nginx.yaml
await 60 served
npx wherry get deploy,rs,pods,svc,endpointslices -o wide
say "Ctrl-C, and the next start goes on from there"
stop
start
await 60 served
stop
say "npm test -- ${*:-unit}"
npm test -- "${@:-unit}"
