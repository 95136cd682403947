#pragma once

/* What somebody probably meant who wrote a word that is none: for messages. Called for flags and
 * commands. */

/* The first of the names that `word` begins, or else the one that differs in the fewest letters, if
 * those are few; NULL for none. `names` ends with NULL. */
const char *nearest_name(const char *word, const char *const *names);
