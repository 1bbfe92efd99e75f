#!/bin/bash
# SPDX-License-Identifier: MIT
#
# sources.sh [c|h] - our own C files, one a line, relative to the top of the tree. Generated ones lie in build
# directories and are not among them.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

case ${1:-all} in
c) names=(-name '*.c') ;;
h) names=(-name '*.h') ;;
*) names=(-name '*.c' -o -name '*.h') ;;
esac
find client daemon proto tests \( "${names[@]}" \) -type f | LC_ALL=C sort
