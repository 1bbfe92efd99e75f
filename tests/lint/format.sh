#!/bin/bash
# SPDX-License-Identifier: MIT
#
# format.sh [--fix] - whether all sources look as .clang-format says; --fix makes them so.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."

command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 77; }

if [[ ${1:-} == --fix ]]; then
        "$here/sources.sh" | xargs -r clang-format -i
else
        "$here/sources.sh" | xargs -r clang-format --dry-run -Werror
fi
