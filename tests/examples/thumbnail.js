#!/usr/bin/gjs
// Makes a thumbnail of a picture whose maker nobody trusts: in an empty root, with limits of memory and time.
//
// usage: thumbnail.js PICTURE THUMBNAIL.png
//
// By gjs, as any user to whom polkit grants "run". Prints what the program used.
imports.gi.versions.Gio = '2.0';
const {Gio, GLib} = imports.gi;
const system = imports.system;

const NAME = 'org.naive.Runc', PATH = '/org/naive/Runc';

function call(path, name, method, parameters, fds) {
    return Gio.DBus.system.call_with_unix_fd_list_sync(NAME, path, name, method, parameters, null, Gio.DBusCallFlags.NONE,
        -1, fds, null)[0].recursiveUnpack();
}

// A script makes no pipe by GLib: cat has one on either side.
function pipe() {
    const [, , writer, reader] = GLib.spawn_async_with_pipes(null, ['cat'], null, GLib.SpawnFlags.SEARCH_PATH, null);
    const stream = new Gio.DataInputStream({base_stream: new Gio.UnixInputStream({fd: reader, close_fd: true})});
    return [stream, writer];
}

function main(picture, thumbnail) {
    const out = Gio.File.new_for_commandline_arg(thumbnail), [lines, writer] = pipe();
    const source = Gio.File.new_for_commandline_arg(picture).get_path(), target = out.get_parent().get_path();
    const fds = new Gio.UnixFDList();
    const mounts = [['/usr', '/usr', 'bind', ['ro']], ['usr/lib', '/lib', 'symlink', []], ['usr/lib64', '/lib64', 'symlink', []],
        ['', '/proc', 'proc', []], ['', '/dev', 'dev', []], ['', '/tmp', 'tmpfs', []], [source, '/in', 'bind', ['ro']],
        [target, '/out', 'bind', []]];
    const options = {
        EmptyRoot: new GLib.Variant('b', true),
        UserNamespace: new GLib.Variant('s', 'keep-id'),
        Mounts: new GLib.Variant('a(ayaysas)', mounts),
        CapabilityBoundingSet: new GLib.Variant('as', []),
        MemoryMax: new GLib.Variant('t', 512 * 1024 * 1024),
        RuntimeMaxUSec: new GLib.Variant('t', 20000000),
        StatusFD: new GLib.Variant('h', fds.append(writer)),
    };
    const argv = ['/usr/bin/gdk-pixbuf-thumbnailer', '-s', '32', '/in', `/out/${out.get_basename()}`];
    const [container] = call(PATH, `${NAME}.Manager1`, 'Spawn',
        new GLib.Variant('(ayaaya{uh}a{sv})', ['', argv, {}, options]), fds);
    fds.steal_fds().forEach(fd => GLib.close(fd)); // the list holds a copy of the descriptor
    GLib.close(writer);
    let last = null;
    for (let line; (line = lines.read_line_utf8(null)[0]) !== null;)
        last = JSON.parse(line);
    const [usage] = call(container, 'org.freedesktop.DBus.Properties', 'Get',
        new GLib.Variant('(ss)', [`${NAME}.Container1`, 'Usage']), null);
    call(container, `${NAME}.Container1`, 'Delete', null, null);
    print(last.result, last.code, JSON.stringify(usage));
    return last.result === 'exit-code' ? last.code : Number(last.result !== 'success');
}

system.exit(main(...ARGV));
