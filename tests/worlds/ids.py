"""Resource ids for tests: some of every form, and texts that could be taken for one."""

from hypothesis import strategies as st

GUID = "11111111-1111-4111-8111-111111111111"
AT = f"/subscriptions/{GUID}/resourceGroups/rg-one"
VAULT = f"{AT}/providers/Microsoft.RecoveryServices/vaults/rsv"
SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.();-/")

LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
words = st.text(LETTERS + DIGITS, min_size=1, max_size=12)
names = st.builds("{}{}".format, st.text(f"{LETTERS}{DIGITS}_.();-", max_size=20), st.sampled_from("aZ0_()-"))
groups = names.map(lambda name: name.replace(";", "_"))
types = st.builds("{}{}".format, st.sampled_from("abM"), words).filter(lambda type: type.lower() != "providers")
spaces = st.builds("{}.{}".format, words, words)
guids = st.uuids().map(str)


@st.composite
def ids(draw: st.DrawFn) -> str:
    """Ids of every form."""
    text = draw(st.sampled_from(["", f"/subscriptions/{draw(guids)}"]))
    if text and draw(st.booleans()):
        text += f"/{draw(st.sampled_from(['resourceGroups', 'resourcegroups']))}/{draw(groups)}"
    for _ in range(draw(st.integers(0 if text else 1, 2))):
        pairs = draw(st.lists(st.tuples(types, names), min_size=1, max_size=3))
        text += f"/providers/{draw(spaces)}" + "".join(f"/{type}/{name}" for type, name in pairs)
    return text


mangled = st.one_of(
    st.text(),
    st.text(alphabet=sorted(SAFE)),
    st.builds(lambda id, at, more: id[:at] + more + id[at:], ids(), st.integers(0, 200), st.text(max_size=3)),
    st.builds(lambda id, word: id.replace("s/", f"s/{word}/", 1), ids(), st.sampled_from([".", "..", "", "%2e%2e"])),
)

HOSTILE = {
    "nothing": "",
    "a slash": "/",
    "a word": "rg-one",
    "a URL": f"https://management.azure.com{AT}",
    "no slash at the start": VAULT[1:],
    "two slashes at the start": f"/{VAULT}",
    "a slash at the end": f"{VAULT}/",
    "two slashes within": VAULT.replace("/vaults/", "/vaults//"),
    "a parent segment": VAULT.replace("/rsv", "/.."),
    "a segment for itself": VAULT.replace("/rsv", "/."),
    "three dots": VAULT.replace("/rsv", "/..."),
    "a way up and down again": f"{AT}/../rg-two/providers/Microsoft.RecoveryServices/vaults/rsv",
    "a group of dots": VAULT.replace("rg-one", ".."),
    "a group that ends with a dot": VAULT.replace("rg-one", "rg."),
    "an encoded way up": VAULT.replace("/rsv", "/%2e%2e"),
    "an encoded slash": VAULT.replace("/rsv", "/rsv%2Fx"),
    "a query": f"{VAULT}?api-version=1",
    "a fragment": f"{VAULT}#x",
    "a newline at the end": f"{VAULT}\n",
    "a newline within": VAULT.replace("rsv", "r\nsv"),
    "a null": f"{VAULT}\0",
    "a blank": f"{VAULT} ",
    "a quote": f"{VAULT}' or '1' == '1",
    "a backslash": VAULT.replace("/rsv", "\\rsv"),
    "a Kelvin sign": VAULT.replace("/rsv", "/\u212aube"),
    "a Kelvin sign in a type": f"{AT}/providers/Microsoft.Networ\u212a/virtualNetwor\u212as/v",
    "a long s in a keyword": VAULT.replace("/subscriptions/", "/\u017fubscriptions/"),
    "a dotless i": VAULT.replace("/subscriptions/", "/subscr\u0131ptions/"),
    "a dotted I": VAULT.replace("Microsoft", "M\u0130crosoft"),
    "a Cyrillic a": VAULT.replace("vaults", "v\u0430ults"),
    "fullwidth dots": VAULT.replace("/rsv", "/\uff0e\uff0e"),
    "a fullwidth slash": VAULT.replace("/rsv", "\uff0frsv"),
    "Arabic digits": VAULT.replace(GUID, "\u0661" * 8 + GUID[8:]),
    "an umlaut in a group": VAULT.replace("rg-one", "gr\u00f6\u00dfe"),
    "a text turned round": f"{VAULT}\u202e",
    "a subscription that is none": VAULT.replace(GUID, "prod"),
    "a GUID in braces": VAULT.replace(GUID, "{" + GUID + "}"),
    "a GUID cut short": VAULT.replace(GUID, GUID[:-1]),
    "a group of 91": VAULT.replace("rg-one", "g" * 91),
    "a name of 261": VAULT.replace("rsv", "v" * 261),
    "10000 characters": f"{VAULT}{'x' * 10_000}",
    "10000 segments": AT + "/providers/Microsoft.A/a/b" * 10_000,
    "a type without a name": f"{VAULT}/backupJobs",
    "a namespace alone": f"{AT}/providers/Microsoft.RecoveryServices",
    "a namespace alone, on a resource": f"{VAULT}/providers/Microsoft.Authorization",
    "a namespace without a period": f"{AT}/providers/RecoveryServices/vaults/rsv",
    "no namespace": f"{AT}/vaults/rsv",
    "a group without a subscription": "/resourceGroups/rg-one",
}
