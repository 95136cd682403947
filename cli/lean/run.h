#pragma once

/* Runs what a plan says over a connection of its own, waits for the command's end by the pipe that
 * is told of it, and forwards signals meanwhile. libc alone. Called by naivec.c. */

#include "cli/lean/plan.h"

/* The exit status after the command's end, or after a complaint; RUN_NOT if nothing was begun, and
 * naivec-full is to do it: it can ask for a password, and has a word for every error. */
#define RUN_NOT (-1)
int run_plan(const Plan *plan);
