#include "cli/lib/session/keys.h"

#include <glib.h>
#include <string.h>

#define CTRL(c) ((c) &0x1f)

static bool parse_key(const char *word, char *ret)
{
        if (g_ascii_strncasecmp(word, "ctrl-", 5) == 0 && word[5] && !word[6] &&
            (g_ascii_isalpha(word[5]) || strchr("@[\\]^_", word[5])))
                *ret = CTRL(word[5]);
        else if (word[0] && !word[1])
                *ret = word[0];
        else
                return false;
        return true;
}

bool detach_keys_parse(DetachKeys *keys, const char *text)
{
        g_auto(GStrv) words = g_strsplit(text, ",", -1); /* of "" it makes none */
        size_t n = g_strv_length(words);

        *keys = (DetachKeys){0};
        if (n > DETACH_KEYS_MAX)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!parse_key(words[i], &keys->keys[i]))
                        return false;
        keys->n = n;
        return true;
}

char *detach_keys_describe(const DetachKeys *keys)
{
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < keys->n; i++) {
                bool is_control = (unsigned char) keys->keys[i] < ' ';
                g_string_append_printf(text, "%s%s%c", i ? " " : "", is_control ? "Ctrl-" : "",
                                       is_control ? keys->keys[i] + '@' : keys->keys[i]);
        }
        return g_string_free(text, FALSE);
}

/* What is held back are the first keys themselves. With the next one, as much as still may begin
 * the keys goes on to be held. */
bool detach_keys_type(DetachKeys *keys, char key, char *to, size_t *n)
{
        size_t held = keys->n_held;

        for (size_t shift = 0; shift <= held; shift++) {
                size_t left = held - shift;
                if (key != keys->keys[left] || memcmp(keys->keys, keys->keys + shift, left) != 0)
                        continue;
                memcpy(to + *n, keys->keys, shift);
                *n += shift;
                keys->n_held = (left + 1) % keys->n;
                return keys->n_held == 0;
        }
        memcpy(to + *n, keys->keys, held);
        *n += held;
        to[(*n)++] = key;
        keys->n_held = 0;
        return false;
}
