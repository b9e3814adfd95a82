"""How the steps that a client of IEEE 2030.5 is judged by are written in a procedure file."""

import re
from collections.abc import Callable

from conformance.api.ven_reading import ApiVenStepReader
from conformance.api.ven_steps import Asked, Hear, Store
from conformance.procedure import Step
from conformance.queries import Query
from conformance.sep2.client_steps import Leap, Lost, Notify, PostRate
from conformance.sep2.words import NAMESPACES
from conformance.server.reading import listening_kinds, read_attempt
from conformance.step_kinds import expected
from conformance.yaml_nodes import Section

SIGHT_UNSEEN = "<opModTargetW><multiplier>1</multiplier><value>2</value></opModTargetW>"
"""What a control asks for if the procedure does not care: to give 20 W."""


class Sep2ClientStepReader(ApiVenStepReader):
    """A client of 2030.5 is heard like a VEN of OpenADR 3; it has no tokens that could expire."""

    def own_kinds(self) -> dict[str, Callable[[Section], Step]]:
        kinds = {name: kind for name, kind in super().own_kinds().items() if name != "expire"}
        return {
            **kinds,
            "serve": listening_kinds(self)["serve"],
            "await": read_attempt,
            "controls": _controls,
            "leap_s": _leap,
            "lost_s": _lost,
            "post_rate_s": _post_rate,
            "reads": _reads,
            "notify": _notify,
        }


def _controls(section: Section) -> Store:
    """A DERControlList in few words."""
    path = section.text("at", "/q/asks/p/now")
    found = [_control(inner, f"{path}/c{place}") for place, inner in enumerate(section.sections("controls"))]
    count = len(found)
    opening = (
        f'<DERControlList xmlns="{NAMESPACES["sep"]}" href="{path}" subscribable="1" all="{count}" results="{count}">'
    )
    return Store(line=section.line, path=path, body=f"{opening}{''.join(found)}</DERControlList>")


def _control(section: Section, href: str) -> str:
    made = section.text("made", "${made}")
    kind = {name: section.text(name, usual) for name, usual in (("version", "0"), ("status", "0"))}
    text = (
        f'<DERControl href="{href}" replyTo="{section.text("reply_to", "/q/replies")}" responseRequired="03">'
        f"<mRID>{section.text('mrid', '${mrid}')}</mRID><version>{kind['version']}</version>"
        f"<creationTime>{made}</creationTime>"
        f"<EventStatus><currentStatus>{kind['status']}</currentStatus>"
        f"<dateTime>{section.text('changed', made)}</dateTime>"
        f"<potentiallySuperseded>false</potentiallySuperseded></EventStatus>"
        f"<interval><duration>{section.text('duration_s')}</duration>"
        f"<start>{section.text('start', '${start}')}</start></interval>{_random(section)}"
        f"<DERControlBase>{section.text('asks', SIGHT_UNSEEN)}</DERControlBase>{section.text('more', '')}</DERControl>"
    )
    section.finish()
    return text


def _random(section: Section) -> str:
    given = (("randomizeDuration", "randomize_duration_s"), ("randomizeStart", "randomize_start_s"))
    return "".join(f"<{name}>{section.text(key)}</{name}>" for name, key in given if key in section)


def _leap(section: Section) -> Leap:
    return Leap(line=section.line, seconds=int(section.number("leap_s")))


def _lost(section: Section) -> Lost:
    return Lost(line=section.line, seconds=section.number("lost_s"))


def _post_rate(section: Section) -> PostRate:
    return PostRate(line=section.line, seconds=int(section.number("post_rate_s")))


def _reads(section: Section) -> Hear:
    """A reading of so many watts, give or take a tenth, in or out; of the seconds from ``since`` to ``until``."""
    watts, square = f"${section.text('reads')}", "sep:value * $unit_w * sep:value * $unit_w"
    wanted = [f"{square} > 0.81 * {watts} * {watts}", f"{square} < 1.21 * {watts} * {watts}"]
    wanted += [
        f"sep:timePeriod/sep:start {sign} {section.text(key)}"
        for key, sign in (("since", ">="), ("until", "<="))
        if key in section
    ]
    where = Query(f"//sep:MirrorMeterReading[sep:mRID = $series]//sep:Reading[{' and '.join(wanted)}]")
    asked = Asked(method="POST", path=re.compile("^/q/meters/"), where=where)
    return Hear(line=section.line, asked=asked, ever="since" in section, expect=expected(section))


def _notify(section: Section) -> Notify:
    inner = section.section("notify")
    step = Notify(line=section.line, uri=inner.text("uri"), body=inner.text("body"), expect=expected(section))
    inner.finish()
    return step
