# a document from a stranger: the typesetter (groff, as TeX's programs are used) sees its fonts and one file, and writes one
mkdir -p texmf job; printf '.TH DOC 1\n.SH NAME\ndoc \\- a document\n.so ../../etc/passwd\n' >job/doc.1
bwrap --unshare-all --new-session --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
        --symlink usr/lib64 /lib64 --ro-bind-try /etc/groff /etc/groff --ro-bind-try /var/lib/texmf /var/lib/texmf \
        --bind texmf /texmf-var --setenv TEXMFVAR /texmf-var --proc /proc --dev /dev --tmpfs /tmp --bind job /job --chdir /job \
        sh -c 'groff -man -Tascii -P-c doc.1 2>log >doc.txt; grep -c "a document" doc.txt; grep -c root: doc.txt'
ls job
#= 1
#= 0
#= doc.1
#= doc.txt
#= log
