#!/usr/bin/env python3
"""Code generators read the XML, and give file descriptors to whoever calls or implements a method that passes them (exit 77
where gdbus-codegen is not installed).

usage: generators.py SOURCE-ROOT"""

import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import lintlib

NOTE = '<annotation name="org.gtk.GDBus.C.UnixFD" value="true"/>'
QT_KNOWS = re.compile(r'[ybnqiuxtdsogv]|as|ay|av')  # qdbusxml2cpp has to be told the type of anything else


def generated(text):
    """The header that gdbus-codegen makes of an XML."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, 'x.xml').write_text(text)
        run = subprocess.run(['gdbus-codegen', '--c-namespace', 'X', '--interface-prefix', 'org.naive.',
                              '--generate-c-code', 'x', 'x.xml'], cwd=directory, capture_output=True, text=True)
        return Path(directory, 'x.h').read_text() if run.returncode == 0 else ''


def check_method(path, method, header):
    name, arguments = method.get('name'), method.findall('arg')
    snake = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).lower()
    call = re.search(rf'_call_{snake}_sync \((.*?)\);', header, re.DOTALL)
    if not call:
        yield f'{path}: gdbus-codegen makes no call of {name}'
    elif any('{uh}' in a.get('type') or 'h' == a.get('type') for a in arguments) != ('GUnixFDList' in call.group(1)):
        yield f'{path}: gdbus-codegen does not pass file descriptors to {name} as its signature says: {NOTE}?'
    notes = {note.get('name') for note in method.findall('annotation')}
    for way in 'in', 'out':
        for number, argument in enumerate(a for a in arguments if a.get('direction') == way):
            note = f'org.qtproject.QtDBus.QtTypeName.{way.title()}{number}'
            if not QT_KNOWS.fullmatch(argument.get('type').replace('h', 'u')) and note not in notes:
                yield f'{path}: qdbusxml2cpp needs {note} of {name}'


def check(tree):
    complaints = []
    for path, text in tree.items():
        if re.fullmatch(r'dbus/.*\.xml', path):
            header = generated(text)
            for interface in ElementTree.fromstring(text.encode()).iter('interface'):
                for method in interface.findall('method'):
                    complaints += check_method(path, method, header)
    return complaints


def sample(notes, kind='h'):
    return {'dbus/x.xml': '<node><interface name="org.naive.X"><method name="OpenIt">' + notes +
                          f'<arg name="fd" type="{kind}" direction="out"/></method></interface></node>'}


QT_NOTE = '<annotation name="org.qtproject.QtDBus.QtTypeName.Out0" value="List"/>'
GOOD = [sample(NOTE), sample('', 's'), sample(QT_NOTE, 'a(s)')]
BAD = [sample(NOTE, 's'), sample('', 'a{uh}'), sample(QT_NOTE, 'a{uh}'), sample(NOTE, 'a{uh}'), sample('', 'aay')]

if __name__ == '__main__':
    if not shutil.which('gdbus-codegen'):
        print('gdbus-codegen is not installed')
        sys.exit(lintlib.SKIPPED_EXIT)
    lintlib.main(check, BAD, GOOD)
