#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_metrics.sh PARD PARCTL DOCS - metrics of a real pard, over both kinds of sockets, as those who read them see them:
# promtool, and Prometheus itself. And that DOCS/metrics.md tells of each metric there is, and of no other.
set -uo pipefail

PARD=$1 PARCTL=$2 docs=$3
for program in curl promtool prometheus systemd-socket-activate; do
        command -v "$program" >/dev/null || {
                echo "SKIP: there is no $program"
                exit 77
        }
done
# shellcheck source=../support/pard.sh
. "$(dirname "$0")/../support/pard.sh"

other_pid=
trap '[[ -z $other_pid ]] || kill "$other_pid" 2>/dev/null; clean_up' EXIT
openmetrics='Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'

# get [CURL-ARGUMENT...] - the metrics of the Unix socket
get() {
        curl --silent --show-error --fail --max-time 10 --unix-socket "$dir/metrics.sock" "$@" http://pard/metrics
}

# value SAMPLE - what it is now
value() {
        get | awk -v sample="$1" '$1 == sample { print $2 }'
}

# port - one of this machine that nobody listens on
port() {
        local port
        while true; do
                port=$((RANDOM % 20000 + 10000))
                (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
        done
        echo "$port"
}

# ---- off unless it is wanted ----------------------------------------------------------------
sim_config >"$dir/pard.conf"
start_pard
[[ ! -e $dir/metrics.sock ]] || fail "metrics that nobody asked for"
stop_pard || fail "pard's end"

# quota_config - as sim_config, with quotas and a claim in the pool "any"
me=uid:$(id -u)
quota_config() {
        local quotas="quota \"$me\" { bytes = \"16M\" frames = 8 buffers = 100 } "
        quotas+='quota "gid:4294967290" { bytes = "8M" } quota "user:*" { bytes = "4M" } '
        quotas+="claim \"$me\" { bytes = \"2M\" }"
        sim_config | sed "/^pool \"any\"/ s/}\$/$quotas }/"
}

# ---- a Unix socket --------------------------------------------------------------------------
{ echo "metrics = \"$dir/metrics.sock\""; quota_config; } >"$dir/pard.conf"
start_pard
is "the socket's mode" "$(stat -c %a "$dir/metrics.sock")" 660
expect 0 "the metrics" get
cp "$dir/out" "$dir/plain"
expect 0 "promtool, about what it is told without asking for a format" promtool check metrics <"$dir/plain"
is "promtool's remarks" "$(cat "$dir/out" "$dir/err")" ""
expect 0 "OpenMetrics" get --header "$openmetrics"
is "the end of OpenMetrics" "$(tail -n 1 "$dir/out")" "# EOF"
says out "OpenMetrics" "# TYPE pard_grants counter"
is "the type of OpenMetrics" "$(get --output /dev/null --write-out '%{content_type}' --header "$openmetrics")" \
        "application/openmetrics-text; version=1.0.0; charset=utf-8"

before=$(value 'pard_grants_total{pool="any"}')
expect 0 "an allocation" "$PARCTL" alloc --size 4M --pool any
is "grants after it" "$(value 'pard_grants_total{pool="any"}')" $((before + 1))
expect 3 "an allocation that never fits" "$PARCTL" explain --size 1T
"$PARCTL" alloc --size 1T >/dev/null 2>&1
is "refusals after it" "$(value 'pard_refusals_total{reason="never_fits"}')" 1
is "what is free" "$(value 'pard_pool_bytes{pool="below4g",state="free"}')" $((16 << 20))
is "names of clients" "$(get | grep -c parctl)" 0

hold --size 4M --pool any
mine="pool=\"any\",whom=\"$me\""
# has BYTES - what is charged to this user; a moment ago it may have been more
has() {
        [[ $(value "pard_quota_used_bytes{$mine}") == "$1" ]]
}
soon "what a user has" has $((4 << 20))
is "frames of it" "$(value "pard_quota_used_frames{$mine}")" 2
is "buffers of it" "$(value "pard_quota_used_buffers{$mine}")" 1
is "his quota" "$(value "pard_quota_bytes{$mine}")" $((16 << 20))
is "what he has of what is kept for him" "$(value "pard_claim_used_bytes{$mine}")" $((4 << 20))
is "what is kept for him" "$(value "pard_claim_bytes{$mine}")" $((2 << 20))
let_go
soon "the end of that" has 0
is "whether the most that he had is told" "$(($(value "pard_quota_peak_bytes{$mine}") >= 4 << 20))" 1
is "users who come near to what each may have" "$(value 'pard_quota_users{pool="any",share="0.5"}')" 0

# Who else starts there is told.
sed "s#$PAR_SOCKET#$dir/other.sock#" "$dir/pard.conf" >"$dir/other.conf"
expect 1 "another pard on the same socket" "$PARD" --config "$dir/other.conf"
says err "another pard on the same socket" "another pard serves $dir/metrics.sock"
expect 0 "the metrics afterwards" get

# The worker may die.
kill -KILL "$(worker)"
started_twice() {
        [[ $(value pard_worker_starts_total 2>/dev/null) == 2 ]]
}
soon "starts of the worker" started_twice
stop_pard || fail "pard's end with metrics"
[[ ! -e $dir/metrics.sock && ! -e $dir/metrics.sock.lock ]] || fail "the socket is still there"

# ---- a port, and Prometheus -----------------------------------------------------------------
metrics_port=$(port)
{ echo "metrics = \"127.0.0.1:$metrics_port\""; sim_config; } >"$dir/pard.conf"
start_pard
expect 0 "the metrics at a port" curl --silent --fail --max-time 10 "http://127.0.0.1:$metrics_port/metrics"
says out "the metrics at a port" 'pard_pool_bytes{pool="any",state="free"}'

prometheus_port=$(port)
cat >"$dir/prometheus.yml" <<PROMETHEUS
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: pard
    static_configs: [ { targets: [ "127.0.0.1:$metrics_port" ] } ]
PROMETHEUS
prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/tsdb" --log.level=warn \
        --web.listen-address="127.0.0.1:$prometheus_port" >"$dir/prometheus.log" 2>&1 &
other_pid=$!
for ((i = 0; i < 600; i++)); do
        promtool query instant "http://127.0.0.1:$prometheus_port" 'up{job="pard"}' >"$dir/out" 2>&1
        ! grep -q ' => 1 ' "$dir/out" || break
        sleep 0.2
done
says out "Prometheus, about pard" ' => 1 '
expect 0 "a query" promtool query instant "http://127.0.0.1:$prometheus_port" \
        'sum by (pool) (pard_pool_bytes{pool="any"})'
says out "what Prometheus knows" "$((32 << 20))"
kill "$other_pid"
wait "$other_pid"
other_pid=
stop_pard || fail "pard's end with a port"

# ---- the service manager's socket -----------------------------------------------------------
sim_config >"$dir/pard.conf"
metrics_port=$(port)
systemd-socket-activate --listen="127.0.0.1:$metrics_port" --fdname=metrics \
        "$PARD" --config "$dir/pard.conf" 2>"$dir/log" &
other_pid=$!
for ((i = 0; i < 600; i++)); do
        curl --silent --fail --max-time 10 "http://127.0.0.1:$metrics_port/metrics" >"$dir/out" && break
        sleep 0.1
done
says out "metrics of an activated socket" "pard_build_info"
expect 0 "clients of an activated pard" "$PARCTL" status
kill "$other_pid"
wait "$other_pid" || fail "the end of an activated pard"

metrics_port=$(port)
systemd-socket-activate --listen="127.0.0.1:$metrics_port" --fdname=metric \
        "$PARD" --config "$dir/pard.conf" 2>"$dir/err" &
other_pid=$!
# Whoever connects wakes it.
has_ended() {
        curl --silent --max-time 1 "http://127.0.0.1:$metrics_port/metrics" >/dev/null
        ! kill -0 "$other_pid" 2>/dev/null
}
soon "the end of a pard with a socket of a wrong name" has_ended || kill "$other_pid"
wait "$other_pid" && fail "a socket with a wrong name was taken"
other_pid=
says err "a socket with a wrong name" 'the service manager passed the socket "metric"'

# ---- what is written about it ---------------------------------------------------------------
awk '/^```yaml/ { inside = 1; next } /^```/ { inside = 0 } inside' "$docs/metrics.md" >"$dir/rules.yml"
expect 0 "the rules" promtool check rules "$dir/rules.yml"
says out "the rules" "SUCCESS"
awk '$1 == "#" && $2 == "TYPE" { print $3 }' "$dir/plain" | sort >"$dir/there"
# A family's parts (_bucket) are no metrics of their own.
grep -oE '\bpard_[a-z_]+' "$docs/metrics.md" | sed 's/_bucket$//' | sort -u >"$dir/told"
is "metrics that are told of, and those that there are" "$(diff "$dir/there" "$dir/told")" ""

finish
