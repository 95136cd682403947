#include "service/container/record-rights.h"

#include "service/spec/error.h"

static const char *const filter_words[_RIGHTS_FILTER_MAX] = {
        [RIGHTS_FILTER_NONE] = "none",
        [RIGHTS_FILTER_DEFAULT] = "default",
        [RIGHTS_FILTER_SET_ID_REFUSED] = "set-id-refused",
        [RIGHTS_FILTER_STRICT] = "strict",
};

bool record_get_uint64(GKeyFile *file, const char *key, uint64_t *ret, GError **error)
{
        g_autoptr(GError) local = NULL;

        *ret = g_key_file_get_uint64(file, RECORD_GROUP, key, &local);
        return local ? error_set(error, RUNTIME_ERROR_FAILED, "%s", local->message) : true;
}

/* As "1;2": GKeyFile's own lists are of signed numbers. */
static void set_numbers(GKeyFile *file, const char *key, const uint32_t *numbers, size_t n)
{
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, i ? ";%u" : "%u", numbers[i]);
        g_key_file_set_string(file, RECORD_GROUP, key, text->str);
}

void record_add_rights(GKeyFile *file, const Rights *rights)
{
        g_key_file_set_uint64(file, RECORD_GROUP, "Capabilities", rights->capabilities);
        g_key_file_set_string(file, RECORD_GROUP, "Filter", filter_words[rights->filter]);
        g_key_file_set_uint64(file, RECORD_GROUP, "FilterCapabilities",
                              rights->filter_capabilities);
        g_key_file_set_boolean(file, RECORD_GROUP, "SeccompLog", rights->tells_refusals);
        g_key_file_set_boolean(file, RECORD_GROUP, "NoNewPrivileges", rights->no_new_privileges);
        g_key_file_set_boolean(file, RECORD_GROUP, "InnerNamespace", rights->has_inner_namespace);
        g_key_file_set_boolean(file, RECORD_GROUP, "OwnUsers", rights->has_user_namespace);
        g_key_file_set_uint64(file, RECORD_GROUP, "UserCapabilities", rights->user_capabilities);
        g_key_file_set_boolean(file, RECORD_GROUP, "KeepsGroups", rights->keeps_groups);
        set_numbers(file, "User", (const uint32_t[]){rights->uid, rights->gid}, 2);
        set_numbers(file, "Groups", rights->groups, rights->n_groups);
}

/* What set_numbers() wrote; false for anything else. */
static bool get_numbers(GKeyFile *file, const char *key, uint32_t *ret, uint32_t max,
                        uint32_t *ret_n)
{
        g_autofree char *text = g_key_file_get_string(file, RECORD_GROUP, key, NULL);
        g_auto(GStrv) words = text ? g_strsplit(text, ";", (int) max + 1) : NULL;
        guint64 number;

        *ret_n = 0;
        for (char **word = words; word && *word; word++) {
                if (*ret_n == max ||
                    !g_ascii_string_to_unsigned(*word, 10, 0, UINT32_MAX - 1, &number, NULL))
                        return false;
                ret[(*ret_n)++] = (uint32_t) number;
        }
        return text;
}

void record_add_filters(GKeyFile *file, const Filters *filters)
{
        gsize size;

        if (filters->n == 0)
                return;
        const guchar *code = g_bytes_get_data(filters->code, &size);
        g_autofree char *text = g_base64_encode(code, size);
        set_numbers(file, "FilterLengths", filters->lengths, filters->n);
        g_key_file_set_string(file, RECORD_GROUP, "Filters", text);
}

static bool parse_filters(GKeyFile *file, Filters *ret, GError **error)
{
        g_autofree char *text = g_key_file_get_string(file, RECORD_GROUP, "Filters", NULL);
        uint32_t lengths[FILTERS_MAX], n;
        gsize size = 0;

        if (!text && !g_key_file_has_key(file, RECORD_GROUP, "FilterLengths", NULL))
                return true;
        guchar *code = text ? g_base64_decode(text, &size) : NULL;
        g_autoptr(GBytes) bytes = g_bytes_new_take(code, size);
        return (get_numbers(file, "FilterLengths", lengths, FILTERS_MAX, &n) &&
                filters_restore(lengths, n, bytes, ret)) ||
               error_set(error, RUNTIME_ERROR_FAILED, "Filters or FilterLengths is missing or bad");
}

static bool parse_ids(GKeyFile *file, Rights *rights, GError **error)
{
        uint32_t user[2], n;

        if (!get_numbers(file, "User", user, 2, &n) || n != 2 ||
            !get_numbers(file, "Groups", rights->groups, GROUPS_MAX, &rights->n_groups))
                return error_set(error, RUNTIME_ERROR_FAILED, "User or Groups is missing or bad");
        rights->uid = user[0];
        rights->gid = user[1];
        return record_get_uint64(file, "UserCapabilities", &rights->user_capabilities, error);
}

/* A missing key must not give a right: a record has all of these keys, or (from an older version)
 * not the last, and then the rights are unknown. */
bool record_parse_rights(GKeyFile *file, ContainerInfo *info, GError **error)
{
        g_autofree char *filter = g_key_file_get_string(file, RECORD_GROUP, "Filter", NULL);
        g_autoptr(GError) privileges = NULL, inner = NULL, users = NULL, groups = NULL;
        Rights rights = {.filter = RIGHTS_FILTER_NONE};

        if (!g_key_file_has_key(file, RECORD_GROUP, "Capabilities", NULL) ||
            !g_key_file_has_key(file, RECORD_GROUP, "User", NULL))
                return true;
        if (!record_get_uint64(file, "Capabilities", &rights.capabilities, error) ||
            !record_get_uint64(file, "FilterCapabilities", &rights.filter_capabilities, error) ||
            !parse_ids(file, &rights, error) || !parse_filters(file, &info->filters, error))
                return false;
        while (rights.filter < _RIGHTS_FILTER_MAX &&
               g_strcmp0(filter, filter_words[rights.filter]) != 0)
                rights.filter++;
        rights.no_new_privileges =
                g_key_file_get_boolean(file, RECORD_GROUP, "NoNewPrivileges", &privileges);
        rights.has_inner_namespace =
                g_key_file_get_boolean(file, RECORD_GROUP, "InnerNamespace", &inner);
        rights.has_user_namespace = g_key_file_get_boolean(file, RECORD_GROUP, "OwnUsers", &users);
        /* a version before this one tells of no refusals, and had no container that keeps groups */
        rights.tells_refusals = g_key_file_get_boolean(file, RECORD_GROUP, "SeccompLog", NULL);
        if (g_key_file_has_key(file, RECORD_GROUP, "KeepsGroups", NULL))
                rights.keeps_groups =
                        g_key_file_get_boolean(file, RECORD_GROUP, "KeepsGroups", &groups);
        if (rights.filter == _RIGHTS_FILTER_MAX || privileges || inner || users || groups)
                return error_set(error, RUNTIME_ERROR_FAILED,
                                 "Filter, NoNewPrivileges, InnerNamespace, OwnUsers or "
                                 "KeepsGroups is missing or bad");
        info->rights = rights;
        info->has_rights = true;
        return true;
}
