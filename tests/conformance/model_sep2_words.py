"""The documents that a model client of 2030.5 writes."""

STAMP = 'xmlns="urn:ieee:std:2030.5:ns" xmlns:aus="https://csipaus.org/ns"'
POINT_MRID, POWER_MRID = "00000000000000000000000100028547", "00000000000000000000000200028547"
WATTS = "<multiplier>0</multiplier><value>5000</value>"


def capability() -> str:
    return (
        f"<DERCapability {STAMP}><modesSupported>00400000</modesSupported><rtgMaxW>{WATTS}</rtgMaxW><type>80</type>"
        f"<aus:doeModesSupported>00</aus:doeModesSupported></DERCapability>"
    )


def settings(at: int) -> str:
    return (
        f"<DERSettings {STAMP}><setGradW>0</setGradW><setMaxW>{WATTS}</setMaxW>"
        f"<updatedTime>{at}</updatedTime></DERSettings>"
    )


def status(at: int) -> str:
    return f"<DERStatus {STAMP}><readingTime>{at}</readingTime></DERStatus>"


def response(at: int, device: str, said: int, subject: str) -> str:
    return (
        f"<DERControlResponse {STAMP}><createdDateTime>{at}</createdDateTime>"
        f"<endDeviceLFDI>{device}</endDeviceLFDI><status>{said}</status><subject>{subject}</subject>"
        f"</DERControlResponse>"
    )


def usage_point(device: str) -> str:
    return (
        f"<MirrorUsagePoint {STAMP}><mRID>{device[24:32]}{POINT_MRID[8:]}</mRID><roleFlags>49</roleFlags>"
        f"<serviceCategoryKind>0</serviceCategoryKind><status>1</status><deviceLFDI>{device}</deviceLFDI>"
        f"<MirrorMeterReading><mRID>{POWER_MRID}</mRID><ReadingType><kind>37</kind><uom>38</uom></ReadingType>"
        f"</MirrorMeterReading></MirrorUsagePoint>"
    )


def reading(at: int, duration_s: int, watts: int) -> str:
    return (
        f"<MirrorMeterReading {STAMP}><mRID>{POWER_MRID}</mRID><Reading>"
        f"<timePeriod><duration>{duration_s}</duration><start>{at}</start></timePeriod><value>{watts}</value>"
        f"</Reading></MirrorMeterReading>"
    )


def end_device(lfdi: str, sfdi: str, at: int) -> str:
    return f"<EndDevice {STAMP}><lFDI>{lfdi}</lFDI><sFDI>{sfdi}</sFDI><changedTime>{at}</changedTime></EndDevice>"


def subscription(resource: str) -> str:
    return (
        f"<Subscription {STAMP}><subscribedResource>{resource}</subscribedResource><encoding>0</encoding>"
        f"<level>+S1</level><limit>0</limit><notificationURI>https://model.example/told</notificationURI></Subscription>"
    )


def connection_point(nmi: str) -> str:
    return f"<aus:ConnectionPoint {STAMP}><aus:connectionPointId>{nmi}</aus:connectionPointId></aus:ConnectionPoint>"
