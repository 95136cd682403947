#include <string.h>

#include "cli/oci/decode/tables.h"
#include "cli/oci/spec/mounts.h"

/* What an option does to an OciMount: a bit that it sets, or clears. */
typedef enum OptionKind {
        OPTION_ATTRIBUTE, /* with an "r" before it: for all below as well */
        OPTION_ATIME,     /* the same, of which there is one */
        OPTION_SUPERBLOCK,
        OPTION_FLAG, /* offset of a bool */
        OPTION_IDMAP,
        OPTION_NOTHING,
} OptionKind;

typedef struct Option {
        const char *word;
        OptionKind kind;
        uint64_t set, clear;
} Option;

static const Option options[] = {
        {"defaults", OPTION_NOTHING},
        {"ro", OPTION_ATTRIBUTE, MOUNT_ATTR_RDONLY, 0},
        {"rw", OPTION_ATTRIBUTE, 0, MOUNT_ATTR_RDONLY},
        {"nosuid", OPTION_ATTRIBUTE, MOUNT_ATTR_NOSUID, 0},
        {"suid", OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NOSUID},
        {"nodev", OPTION_ATTRIBUTE, MOUNT_ATTR_NODEV, 0},
        {"dev", OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NODEV},
        {"noexec", OPTION_ATTRIBUTE, MOUNT_ATTR_NOEXEC, 0},
        {"exec", OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NOEXEC},
        {"nodiratime", OPTION_ATTRIBUTE, MOUNT_ATTR_NODIRATIME, 0},
        {"diratime", OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NODIRATIME},
        {"nosymfollow", OPTION_ATTRIBUTE, MOUNT_ATTR_NOSYMFOLLOW, 0},
        {"symfollow", OPTION_ATTRIBUTE, 0, MOUNT_ATTR_NOSYMFOLLOW},
        {"relatime", OPTION_ATIME, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
        {"norelatime", OPTION_ATIME, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
        {"strictatime", OPTION_ATIME, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
        {"nostrictatime", OPTION_ATIME, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
        {"noatime", OPTION_ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
        {"atime", OPTION_ATIME, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
        {"sync", OPTION_SUPERBLOCK, MS_SYNCHRONOUS, 0},
        {"async", OPTION_SUPERBLOCK, 0, MS_SYNCHRONOUS},
        {"dirsync", OPTION_SUPERBLOCK, MS_DIRSYNC, 0},
        {"mand", OPTION_SUPERBLOCK, MS_MANDLOCK, 0},
        {"nomand", OPTION_SUPERBLOCK, 0, MS_MANDLOCK},
        {"iversion", OPTION_SUPERBLOCK, MS_I_VERSION, 0},
        {"noiversion", OPTION_SUPERBLOCK, 0, MS_I_VERSION},
        {"lazytime", OPTION_SUPERBLOCK, MS_LAZYTIME, 0},
        {"nolazytime", OPTION_SUPERBLOCK, 0, MS_LAZYTIME},
        {"silent", OPTION_SUPERBLOCK, MS_SILENT, 0},
        {"loud", OPTION_SUPERBLOCK, 0, MS_SILENT},
        {"bind", OPTION_FLAG, offsetof(OciMount, bind), 0},
        {"rbind", OPTION_FLAG, offsetof(OciMount, bind_recursive), 0},
        {"remount", OPTION_FLAG, offsetof(OciMount, remount), 0},
        {"tmpcopyup", OPTION_FLAG, offsetof(OciMount, copy_up), 0},
        {"src-nofollow", OPTION_FLAG, offsetof(OciMount, source_nofollow), 0},
        {"dest-nofollow", OPTION_FLAG, offsetof(OciMount, destination_nofollow), 0},
        {"idmap", OPTION_IDMAP, OCI_IDMAPPING_ONE, 0},
        {"ridmap", OPTION_IDMAP, OCI_IDMAPPING_RECURSIVE, 0},
};

uint64_t mount_propagation(const char *word)
{
        static const DecodeWord words[] = {
                {"private", MS_PRIVATE},
                {"slave", MS_SLAVE},
                {"shared", MS_SHARED},
                {"unbindable", MS_UNBINDABLE},
        };
        bool is_recursive = word[0] == 'r';

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_str_equal(words[i].word, word + is_recursive))
                        return words[i].value | (is_recursive ? MS_REC : 0);
        return 0;
}

static void apply(OciMount *mount, const Option *option)
{
        switch (option->kind) {
        case OPTION_ATTRIBUTE:
                mount->set = (mount->set & ~option->clear) | option->set;
                mount->clear = (mount->clear & ~option->set) | option->clear;
                break;
        case OPTION_ATIME:
                mount->set = (mount->set & ~MOUNT_ATTR__ATIME) | option->set;
                mount->clear |= MOUNT_ATTR__ATIME;
                break;
        case OPTION_SUPERBLOCK:
                mount->superblock = (mount->superblock & ~option->clear) | option->set;
                break;
        case OPTION_FLAG:
                *(bool *) ((char *) mount + option->set) = true;
                break;
        case OPTION_IDMAP:
                mount->idmapping = (OciIdmapping) option->set;
                break;
        case OPTION_NOTHING:
                break;
        }
}

static void apply_below(OciMount *mount, const Option *option)
{
        bool is_atime = option->kind == OPTION_ATIME;
        uint64_t mask = is_atime ? MOUNT_ATTR__ATIME : option->set | option->clear;

        mount->set_below = (mount->set_below & ~mask) | option->set;
        mount->clear_below = (mount->clear_below & ~mask) | option->clear;
}

/* Takes the option if it is one of the tables; else it is the file system's own. */
static bool take_option(OciMount *mount, const char *word)
{
        uint64_t propagation = mount_propagation(word);

        if (propagation) {
                mount->propagation = propagation & ~(uint64_t) MS_REC;
                mount->propagation_is_recursive = propagation & MS_REC;
                return true;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
                if (g_str_equal(options[i].word, word)) {
                        apply(mount, &options[i]);
                        return true;
                }
                if (options[i].kind <= OPTION_ATIME && word[0] == 'r' &&
                    g_str_equal(options[i].word, word + 1)) {
                        apply_below(mount, &options[i]);
                        return true;
                }
        }
        return false;
}

bool decode_mount_options(Decoder *decoder, const DecodeField *field, json_object *value,
                          void *target)
{
        g_autoptr(GPtrArray) data = g_ptr_array_new();
        OciMount *mount = target;
        char **words = NULL;
        bool is_decoded = decode_strings(decoder, field, value, &words);

        for (size_t i = 0; is_decoded && words[i]; i++)
                if (!take_option(mount, words[i]))
                        g_ptr_array_add(data, g_strdup(words[i]));
        g_strfreev(words);
        g_ptr_array_add(data, NULL);
        mount->data = (char **) g_ptr_array_free(g_steal_pointer(&data), FALSE);
        return is_decoded;
}

static bool has_data(const OciMount *mount)
{
        return mount->data && mount->data[0];
}

static bool finish_mount(Decoder *decoder, void *target)
{
        OciMount *mount = target;

        if (!mount->data)
                mount->data = g_new0(char *, 1);
        if (!mount->destination)
                return decode_fail_at(decoder, "destination", "is missing");
        if (g_strcmp0(mount->type, "bind") == 0 && !mount->bind_recursive)
                mount->bind = true;
        bool is_bind = mount->bind || mount->bind_recursive;
        if (is_bind && !mount->source)
                return decode_fail_at(decoder, "source", "is missing: there is nothing to bind");
        if (!is_bind && !mount->remount && !mount->type)
                return decode_fail_at(decoder, "type", "is missing");
        if (is_bind && has_data(mount))
                return decode_fail_at(decoder, "options", "\"%s\" is none of a bind",
                                      mount->data[0]);
        if (mount->copy_up && g_strcmp0(mount->type, "tmpfs") != 0)
                return decode_fail_at(decoder, "options", "tmpcopyup is an option of tmpfs alone");
        if ((mount->uid_maps.n > 0) != (mount->gid_maps.n > 0))
                return decode_fail_at(decoder, "uidMappings", "and gidMappings come together");
        if (mount->uid_maps.n > 0 && !mount->idmapping)
                mount->idmapping = OCI_IDMAPPING_ONE;
        if (mount->idmapping && !is_bind)
                return decode_fail_at(decoder, "uidMappings", "needs a bind");
        return true;
}

static bool finish_id_map(Decoder *decoder, void *target)
{
        const OciIdMap *map = target;

        if (map->size == 0)
                return decode_fail_at(decoder, "size", "is missing or 0");
        if (map->inside > UINT32_MAX - map->size || map->outside > UINT32_MAX - map->size)
                return decode_fail_at(decoder, "size", "leads beyond the last id");
        return true;
}

static const DecodeField id_map_fields[] = {
        DECODE("containerID", decode_uint32, OciIdMap, inside),
        DECODE("hostID", decode_uint32, OciIdMap, outside),
        DECODE("size", decode_uint32, OciIdMap, size),
};
const DecodeObject decode_id_map_object = {DECODE_MEMBERS(id_map_fields), .size = sizeof(OciIdMap),
                                           .finish = finish_id_map};

static const DecodeField mount_fields[] = {
        DECODE("destination", decode_string, OciMount, destination),
        DECODE("type", decode_string, OciMount, type),
        DECODE("source", decode_string, OciMount, source),
        {.name = "options", .decode = decode_mount_options},
        DECODE_LIST("uidMappings", OciMount, uid_maps.items, uid_maps.n, &decode_id_map_object),
        DECODE_LIST("gidMappings", OciMount, gid_maps.items, gid_maps.n, &decode_id_map_object),
};
const DecodeObject decode_mount_object = {DECODE_MEMBERS(mount_fields), .size = sizeof(OciMount),
                                          .finish = finish_mount};

char **decode_list_mount_options(void)
{
        static const char *const propagations[] = {"private", "slave", "shared", "unbindable"};
        GPtrArray *words = g_ptr_array_new();

        for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
                g_ptr_array_add(words, g_strdup(options[i].word));
                if (options[i].kind <= OPTION_ATIME)
                        g_ptr_array_add(words, g_strconcat("r", options[i].word, NULL));
        }
        for (size_t i = 0; i < G_N_ELEMENTS(propagations); i++) {
                g_ptr_array_add(words, g_strdup(propagations[i]));
                g_ptr_array_add(words, g_strconcat("r", propagations[i], NULL));
        }
        g_ptr_array_add(words, NULL);
        return (char **) g_ptr_array_free(words, FALSE);
}
