# shellcheck shell=bash
# Sourced by the scripts beside it: where tools and builds live, and how a script says what it does.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/release-manager
tools=$cache/tools

# rustup's proxies are not always on PATH in a non-interactive shell.
export PATH="$tools/bin:$root/end2end/node_modules/.bin:$PATH:$HOME/.cargo/bin"

# A CI clone is fresh each time; its build directory must not be, or nothing would ever be warm.
if [[ ${CI:-} == true ]]; then
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
  export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}
  export INSTA_UPDATE=no
  # Cargo goes by modification times: what another clone has built must look older than the sources of this one.
  if [[ $(cat "$CARGO_TARGET_DIR/.clone" 2>/dev/null) != "$root" ]]; then
    mkdir -p "$CARGO_TARGET_DIR"
    git -C "$root" ls-files -z | (cd "$root" && xargs -0 touch -c)
    printf '%s\n' "$root" >"$CARGO_TARGET_DIR/.clone"
  fi
fi
# shellcheck disable=SC2034
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
minutes() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }

# stage NAME COMMAND…: runs one part of the work and notes how long it took. The first script of a chain prints the sum.
stage() {
  local name=$1 started=$SECONDS result=0
  shift
  say "==> $name"
  "$@" || result=$?
  printf '%s\t%s\t%s\n' "$name" "$((SECONDS - started))" "$([[ $result == 0 ]] && echo ok || echo FAILED)" >>"$RM_STAGES"
  return "$result"
}

# stages TITLE: begins a list of stages, unless a script that called this one has begun it.
stages() {
  stages_title=$1
  [[ -z ${RM_STAGES:-} ]] || return 0
  RM_STAGES=$(mktemp)
  export RM_STAGES
  stages_owned=yes
}

# Prints what `stage` noted; to be called when the script ends.
stages_print() {
  [[ ${stages_owned:-} == yes ]] || return 0
  local name seconds result
  say ''
  say "$stages_title: $(minutes "$SECONDS")"
  while IFS=$'\t' read -r name seconds result; do
    printf '  %-46s %12s  %s\n' "$name" "$(minutes "$seconds")" "$result" >&2
  done <"$RM_STAGES"
  rm -f "$RM_STAGES"
}
