#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_lintian.sh DEBS - lintian has neither errors nor warnings about the packages in this folder
set -euo pipefail
debs=${1:?usage: test_lintian.sh DEBS}

command -v lintian >/dev/null || { echo "lintian is not installed"; exit 77; }
lintian --fail-on error,warning --tag-display-limit 0 "$debs"/*.changes 2>&1 | sed '/root privileges/d'
