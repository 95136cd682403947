#include "service/sandbox/compile-tree.h"

#include <linux/mount.h>

#include "service/sandbox/compile.h"

/* The steps, as they are written. */
typedef struct Steps {
        Writer *writer;
        const LaunchInput *input;
        MountStep *list;
        size_t n;
        int trees, sources; /* that the steps so far use */
        bool masks;         /* among them are the profile's, where the caller wants proc */
} Steps;

#define INSIDE_DEV 3u /* what profile_steps mounts in our /dev, behind the step for that */

static uint32_t parse_mode(const MountSpec *mount, uint32_t otherwise)
{
        return mount->mode ? (uint32_t) g_ascii_strtoull(mount->mode, NULL, 8) : otherwise;
}

static void bind(Steps *steps, const MountSpec *mount, MountStep *step)
{
        step->kind = MOUNT_TREE;
        step->index = steps->trees++;
        step->is_directory = mount->place.is_directory;
}

static bool new_tmpfs(Steps *steps, const MountSpec *mount, MountStep *step)
{
        MountOption *option = step->new.options;
        const char *size = NULL, *mode = NULL;

        if ((mount->size && !write_string(steps->writer, mount->size, &size)) ||
            (mount->mode && !write_string(steps->writer, mount->mode, &mode)))
                return false;
        step->kind = MOUNT_NEW;
        step->new.type = "tmpfs";
        step->new.attributes = compile_mount_attributes(mount) & ~(unsigned) MOUNT_ATTR_RDONLY;
        step->is_ours = true;
        step->is_read_only = mount->read_only;
        if (size)
                *option++ = (MountOption){"size", size};
        if (mode)
                *option++ = (MountOption){"mode", mode};
        return true;
}

static void new_mqueue(MountStep *step)
{
        step->kind = MOUNT_NEW;
        step->new = profile_file_systems[EARLY_MQUEUE];
}

static bool make_file(Steps *steps, const MountSpec *mount, MountStep *step)
{
        bool has_text = mount->type == MOUNT_TYPE_DATA;

        step->kind = MAKE_FILE;
        step->mode = parse_mode(mount, 0644);
        step->is_directory = step->makes_target = false;
        step->is_read_only = mount->read_only;
        step->index = has_text ? -1 : steps->sources++;
        step->size = mount->data_size;
        return !has_text || write_bytes(steps->writer, mount->data, mount->data_size, &step->text);
}

/* What every other root has, where the caller wants it: by the profile's own steps. */
static void place_early(Steps *steps, unsigned number, const MountStep *asked)
{
        const Profile *profile = steps->input->profile;
        MountStep *step = &steps->list[steps->n++];
        bool masks = sandbox_masks_late(profile, compile_namespaces(steps->input->order));

        *step = profile_steps[number];
        step->target = asked->target;
        step->follows_links = step->makes_target = true;
        step->mode = asked->mode;
        step->stage = asked->stage;
        step->number = asked->number;
        if (step->index == EARLY_DEV) {
                memcpy(step + 1, &profile_steps[number + 1], INSIDE_DEV * sizeof *step);
                steps->n += INSIDE_DEV;
        }
        for (size_t i = 0; i < profile->n_masks && masks; i++)
                if (profile->masks[i].at == step->index) {
                        steps->list[steps->n++] = profile->masks[i];
                        steps->masks = true;
                }
}

/* What is particular to the types that are one step each. */
static bool fill_step(Steps *steps, const MountSpec *mount, MountStep *step)
{
        switch (mount->type) {
        case MOUNT_TYPE_BIND:
        case MOUNT_TYPE_BIND_ONE:
                bind(steps, mount, step);
                return true;
        case MOUNT_TYPE_TMPFS:
                return new_tmpfs(steps, mount, step);
        case MOUNT_TYPE_DIR:
                step->kind = MAKE_DIRECTORY;
                step->mode = parse_mode(mount, 0755);
                return true;
        case MOUNT_TYPE_SYMLINK:
                step->kind = MAKE_LINK;
                return write_string(steps->writer, mount->source, &step->text);
        case MOUNT_TYPE_DATA:
        case MOUNT_TYPE_DATA_FD:
                return make_file(steps, mount, step);
        case MOUNT_TYPE_MQUEUE:
                new_mqueue(step);
                return true;
        case MOUNT_TYPE_PROC:
        case MOUNT_TYPE_DEV:
        case _MOUNT_TYPE_MAX:
                break;
        }
        return false;
}

/* The caller's mounts, in the caller's order, since one may lie in another. */
static bool add_mount(Steps *steps, const MountSpec *mount, uint32_t number)
{
        MountStep step = {
                .index = -1,
                .at = -1,
                .follows_links = true,
                .keeps_out = !steps->input->order->tree.empty_root,
                .makes_target = true,
                .is_directory = true,
                .mode = 0755,
                .stage = STAGE_MOUNT,
                .number = number,
        };

        if (mount->is_absent)
                return true;
        if (!write_string(steps->writer, mount->target + 1, &step.target))
                return false;
        if (mount->type == MOUNT_TYPE_PROC || mount->type == MOUNT_TYPE_DEV) {
                place_early(steps, mount->type == MOUNT_TYPE_PROC ? EARLY_PROC : EARLY_DEV, &step);
                return true;
        }
        if (!fill_step(steps, mount, &step))
                return false;
        steps->list[steps->n++] = step;
        return true;
}

/* The profile's mounts, and what covers parts of them. */
static void add_profile(Steps *steps)
{
        const Profile *profile = steps->input->profile;

        memcpy(steps->list, profile_steps, sizeof profile_steps);
        steps->n = PROFILE_STEPS;
        if (!sandbox_masks_late(profile, compile_namespaces(steps->input->order)))
                return;
        memcpy(steps->list + steps->n, profile->masks, profile->n_masks * sizeof *steps->list);
        steps->n += profile->n_masks;
}

static bool write_root(Writer *writer, const Order *order, SandboxPlan *plan)
{
        const TreeSpec *tree = &order->tree;
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, tree->root_size);
        const char *size = NULL;

        plan->has_new_root = tree->empty_root;
        plan->root_is_ours = tree->empty_root || tree->is_volatile;
        plan->root_is_sealed = plan->root_is_ours && tree_spec_root_is_read_only(tree);
        if (!tree->empty_root)
                return true;
        if (tree->has_root_size && !write_string(writer, text, &size))
                return false;
        plan->root = (NewMount){"tmpfs",
                                {{"mode", "0755"}, {size ? "size" : NULL, size}},
                                compile_root_attributes(order) | MOUNT_ATTR_NODEV};
        return true;
}

/* The trees of mounts follow the root's among the fds, if that is none of its own. */
bool compile_tree(Writer *writer, const LaunchInput *input, SandboxPlan *plan)
{
        const TreeSpec *tree = &input->order->tree;
        size_t most = PROFILE_STEPS + input->profile->n_masks + INSIDE_DEV + tree->n_mounts;
        Steps steps = {.writer = writer, .input = input, .trees = tree->empty_root ? 0 : 1};

        steps.list = reserve(writer, most * sizeof *steps.list);
        if (!steps.list || !write_root(writer, input->order, plan))
                return false;
        if (!tree->empty_root)
                add_profile(&steps);
        for (size_t i = 0; i < tree->n_mounts; i++)
                if (!add_mount(&steps, &tree->mounts[i], (uint32_t) i))
                        return false;
        plan->steps = theirs(writer, steps.list);
        plan->n_steps = steps.n;
        plan->masks_without_dev = steps.masks;
        plan->first_target = (size_t) steps.trees;
        return true;
}
