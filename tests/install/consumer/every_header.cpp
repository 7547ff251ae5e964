// SPDX-License-Identifier: Apache-2.0
#include "every_header.h"

// Compiles: no installed header needs one that is not installed.
