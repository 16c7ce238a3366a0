//! Every text of the pages, in German and English side by side: a text in one language alone does
//! not compile. Tests hold the German ones to plain language.
//!
//! Texts say "wir" for the creditor. Gaps are `{amount}`, `{date}`, `{shop}` and the like; what
//! fills them is escaped where the text becomes HTML.

use crate::text::Lang;

macro_rules! catalogue {
    ($($key:ident: $de:literal, $en:literal;)*) => {
        /// Names a text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(clippy::enum_variant_names)] // beside `…Title` stands `…Text`
        pub(crate) enum Text { $($key,)* }

        impl Text {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$key,)*];

            /// The text with its gaps.
            pub(crate) const fn in_lang(self, lang: Lang) -> &'static str {
                match (self, lang) {
                    $((Self::$key, Lang::De) => $de, (Self::$key, Lang::En) => $en,)*
                }
            }
        }
    };
}

impl Text {
    /// The text with its gaps filled.
    pub(crate) fn filled(self, lang: Lang, gaps: &[(&str, &str)]) -> String {
        let mut shown = String::new();
        let mut rest = self.in_lang(lang);
        while let Some((before, after)) = rest.split_once('{') {
            shown.push_str(before);
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            let value = gaps.iter().find(|(gap, _)| *gap == name);
            shown.push_str(value.map_or("", |(_, value)| value));
            rest = behind;
        }
        shown + rest
    }
}

catalogue! {
    // ---- around every page
    SkipLink: "Zum Inhalt", "Skip to content";
    LanguageNav: "Sprache", "Language";
    LanguageName: "Deutsch", "English";
    TestBanner: "Test: Hier fließt kein Geld.", "Test: no money moves.";
    ErrorPrefix: "Fehler: ", "Error: ";
    ContactTitle: "Haben Sie Fragen?", "Any questions?";
    ByEmail: "Mail:", "Email:";
    ByPhone: "Telefon:", "Phone:";
    Hours: "Wir sind da:", "We are here:";
    CounsellingTitle: "Rat bei Schulden", "Debt advice";
    CounsellingText: "Sie haben Sorgen mit Geld? Hier hilft man Ihnen gern.",
        "Are you worried about money? These people can help you.";
    Imprint: "Impressum", "Legal notice";
    Privacy: "So gehen wir mit Ihren Daten um", "How we use your data";
    Back: "Zurück", "Back";

    // ---- what is true now
    OpenTitle: "Ihre offene Rechnung bei {shop}", "Your open invoice at {shop}";
    OpenTitleMany: "Ihre offenen Rechnungen bei {shop}", "Your open invoices at {shop}";
    OpenText: "Bei {shop} ist noch etwas offen. Sie können jetzt zahlen. Passt etwas nicht? Dann \
               sagen Sie es uns weiter unten.",
        "Something is still open at {shop}. You can pay now. Is something not right? Tell us \
         further down.";
    OpenInterest: "Jeden Tag kommen Zinsen dazu, bis Ihr Geld bei uns ist.",
        "Interest is added every day until your money reaches us.";
    PaidTitle: "Es ist alles bezahlt", "Everything is paid";
    PaidText: "Danke! Bei {shop} ist nichts mehr offen.", "Thank you! Nothing is open at {shop}.";
    PaidNext: "Sie müssen nichts mehr tun. Zahlen Sie bitte nicht noch einmal.",
        "There is nothing left to do. Please do not pay again.";
    NothingTitle: "Es ist nichts offen", "Nothing is open";
    NothingText: "Bei {shop} ist für Sie nichts offen.", "Nothing is open at {shop}.";
    NothingNext: "Sie müssen nichts tun und nichts zahlen.",
        "There is nothing to do, and nothing to pay.";
    DisputedTitle: "Wir prüfen Ihren Einwand", "We are checking your objection";
    DisputedText: "Sie haben uns gesagt: Da stimmt etwas nicht. Das sehen wir uns nun genau an.",
        "You told us that something is not right. We are now looking into it.";
    DisputedNext: "Bis dahin müssen Sie nicht zahlen. Wir mahnen Sie auch nicht. Dann melden wir \
                   uns bei Ihnen.",
        "You need not pay until then. We will not send reminders. Then you will hear from us.";
    DisputeInterest: "In der Zeit können Zinsen dazukommen. Haben Sie recht, fallen sie dafür weg.",
        "Interest may be added meanwhile. If you are right, you owe none on that part.";
    PromisedTitle: "Sie wollen bis zum {date} zahlen", "You will pay by {date}";
    PromisedText: "Danke, dass Sie uns den Tag genannt haben.",
        "Thank you for telling us the day.";
    PromisedNext: "Bis zum {date} mahnen wir Sie nicht. Sie können auch schon jetzt zahlen.",
        "We will not send reminders until {date}. You can also pay now.";
    PromisedInterest: "Zahlen Sie bis dahin alles, kommen keine Zinsen mehr dazu. Sonst zählen wir \
                       sie auch für diese Zeit.",
        "If you pay all of it by then, no interest is added. If not, it counts for this time too.";
    PlannedTitle: "Sie zahlen in Raten", "You pay in instalments";
    PlannedText: "So haben wir es mit Ihnen vereinbart. Zahlen Sie jede Rate bis zu ihrem Tag.",
        "This is what we agreed with you. Pay each instalment by its day.";
    PlannedNext: "Solange das klappt, mahnen wir Sie nicht.",
        "As long as that works, we will not send reminders.";
    PlannedInterest: "Solange Sie die Raten zahlen, kommen keine Zinsen dazu.",
        "As long as you pay the instalments, no interest is added.";
    NextRate: "Als Nächstes sind {amount} bis zum {date} dran.", "Next: {amount} by {date}.";
    SearchTitle: "Wir suchen Ihre Zahlung", "We are looking for your payment";
    SearchText: "Sie haben uns gesagt, dass Sie schon gezahlt haben. Wir sehen bis zum {date} bei \
                 der Bank nach.",
        "You told us that you have paid. We are checking with the bank until {date}.";
    SearchTextOpen: "Sie haben uns gesagt, dass Sie schon gezahlt haben. Wir sehen nun bei der \
                     Bank nach.",
        "You told us that you have paid. We are now checking with the bank.";
    SearchNext: "Bis dahin mahnen wir Sie nicht. Zahlen Sie bitte nicht noch einmal.",
        "We will not send reminders until then. Please do not pay again.";
    SearchInterest: "Für Ihr Geld zählt der Tag, an dem es bei uns ankam. Ab dann kommen darauf \
                     keine Zinsen dazu.",
        "What counts is the day on which your money reached us. From then on it bears no interest.";
    HardshipTitle: "Wir machen eine Pause", "Your case is on pause";
    HardshipText: "Sie haben uns gesagt, dass Sie nicht zahlen können. Wir mahnen Sie bis zum \
                   {date} nicht.",
        "You told us that you cannot pay. We will not send reminders until {date}.";
    HardshipTextOpen: "Sie haben uns gesagt, dass Sie nicht zahlen können. Wir mahnen Sie nun \
                       nicht.",
        "You told us that you cannot pay. We will not send reminders for now.";
    HardshipNext: "Ein Mensch sieht sich Ihren Fall an und meldet sich bei Ihnen.",
        "A person will look at your case and get in touch with you.";
    HeldTitle: "Wir warten zurzeit", "We are waiting for now";
    HeldText: "Wir mahnen Sie bis zum {date} nicht.", "We will not send reminders until {date}.";
    HeldTextOpen: "Wir mahnen Sie zurzeit nicht.", "We will not send reminders for now.";
    HeldNext: "Sie können aber zahlen, wenn Sie mögen.", "You can still pay if you like.";
    MinorTitle: "Wir klären erst noch etwas", "We have to check something first";
    MinorText: "Soviel wir wissen, waren Sie noch nicht 18, als es dazu kam. Darum sieht ein Mensch \
                nach, ob Sie das zahlen müssen. Stimmt das nicht? Dann sagen Sie es uns bitte.",
        "As far as we know, you were not yet 18 when this came about. So a person checks whether \
         you have to pay it. Is that not right? Then please tell us.";
    MinorNext: "Bis das klar ist, müssen Sie nicht zahlen. Wir mahnen Sie auch nicht.",
        "Until that is clear, you need not pay. We will not send reminders.";
    MinorPay: "Wollen Sie zahlen? Das geht hier, wenn es Ihr eigenes Geld ist, zum Beispiel Ihr \
               Taschengeld.",
        "Would you like to pay? You can do so here if it is your own money, such as your pocket \
         money.";
    MinorAlone: "Einen Tag nennen oder Raten wählen können Sie hier nicht, bis Sie 18 sind. Das geht \
                 nur mit Ihren Eltern. Reden Sie mit ihnen, oder rufen Sie uns an.",
        "You cannot name a day or choose instalments here until you are 18. Your parents have to \
         agree to that. Talk to them, or call us.";
    MinorOfAge: "Sie können zahlen, wenn Sie mögen. Einen Tag nennen oder Raten wählen können Sie \
                 hier erst, wenn das klar ist.",
        "You can pay if you like. You can name a day or choose instalments here once this is clear.";
    HoldInterest: "In der Zeit können Zinsen dazukommen.", "Interest may be added meanwhile.";
    PlacedTitle: "Bitte zahlen Sie hier nicht mehr", "Please do not pay here any more";
    PlacedText: "Wir haben den Fall an ein Büro für Inkasso gegeben. Zahlen Sie bitte nur noch \
                 dort.",
        "We have passed this case on to a collection agency. Please pay only there.";
    PlacedNext: "Das Büro schreibt Ihnen. Hier wird nichts von Ihnen abgebucht.",
        "The agency will write to you. Nothing will be charged here.";
    AgencyTitle: "An wen Sie zahlen", "Whom to pay";
    RepresentedTitle: "Offene Rechnungen bei {shop}", "Open invoices at {shop}";
    RepresentedText: "Jemand handelt für die Person, um die es geht. Wir schreiben nur noch an \
                      ihn oder sie.",
        "Somebody acts for the person concerned. We write to them alone.";
    RestsTitle: "Hier ist nichts zu tun", "There is nothing to do here";
    RestsText: "Wir fordern auf dieser Seite kein Geld. Es wird auch nichts abgebucht.",
        "We ask for no money on this page. Nothing will be charged.";
    RestsNext: "Ein Mensch bei uns sieht sich den Fall an. Rufen Sie uns an, wenn Sie etwas \
                wissen wollen.",
        "A person here is looking at the case. Please call us if you want to know more.";

    // ---- what was just sent
    DoneDisagree: "Danke. Wir haben Ihren Einwand bekommen.", "Thank you. We got your objection.";
    DonePaid: "Danke. Wir haben Ihre Nachricht bekommen.", "Thank you. We got your message.";
    DoneLater: "Danke. Der Tag ist notiert.", "Thank you. We noted the day.";
    DonePlan: "Danke. Die Raten sind vereinbart.", "Thank you. The instalments are agreed.";
    DoneHelp: "Danke, dass Sie uns das gesagt haben.", "Thank you for telling us.";

    // ---- what is owed
    OwedTitle: "Um wie viel geht es?", "How much is it?";
    Total: "Offen sind {amount}", "Open: {amount}";
    SumCaption: "So kommt die Summe zustande", "How the sum comes about";
    Principal: "Laut Rechnung", "Invoiced";
    Fees: "Kosten", "Costs";
    Interest: "Zinsen bis {date}", "Interest up to {date}";
    CreditNotes: "Gutschrift", "Credit notes";
    GivenUp: "Erlassen", "No longer asked for";
    Paid: "Schon bezahlt", "Already paid";
    SumOpen: "Noch offen", "Still open";
    Invoice: "Rechnung", "Invoice";
    From: "Von", "From";
    For: "Für", "For";
    IssuedOn: "Vom", "Issued on";
    DueOn: "Zu zahlen bis", "Due on";
    StillOpen: "Noch offen", "Still open";
    Document: "Rechnung ansehen", "See the invoice";
    ClaimDisputed: "Hier prüfen wir Ihren Einwand. Das müssen Sie jetzt nicht zahlen.",
        "We are checking your objection to this. You need not pay it now.";
    ClaimMinor: "Sie waren wohl noch nicht 18, als es dazu kam. Wir sehen nach, ob Sie das zahlen \
                 müssen. Bis dahin müssen Sie es nicht.",
        "You were probably not yet 18 when this came about. We check whether you have to pay it. \
         You need not pay it until then.";
    ClaimPlaced: "Das zahlen Sie bitte an das Büro für Inkasso.",
        "Please pay this to the collection agency.";
    NotAsked: "Davon müssen Sie {amount} jetzt nicht hier zahlen.",
        "Of this, you need not pay {amount} here now.";
    Credit: "Wir haben noch {amount} von Ihnen. Fragen Sie uns bitte, bevor Sie zahlen.",
        "We hold {amount} of yours. Please ask us before you pay.";
    CreditAlone: "Wir haben noch {amount} von Ihnen. Sagen Sie uns bitte, was damit werden soll.",
        "We hold {amount} of yours. Please tell us what to do with it.";
    PaymentsTitle: "Das haben Sie gezahlt", "What you have paid";
    PaymentLine: "{amount} am {date}", "{amount} on {date}";
    AsOf: "Stand: {moment}", "As of {moment}";

    // ---- line by line
    StatementTitle: "Alle Posten und Zahlungen ansehen", "See every item and payment";
    StatementIntro: "Hier steht jeder Posten mit Tag und Summe. Zinsen sind bis zum {date} \
                     gezählt.",
        "Here is each item with its day and amount. Interest is counted up to {date}.";
    StatementIntroPlain: "Hier steht jeder Posten mit Tag und Summe. Stand ist der {date}.",
        "Here is each item with its day and amount, as of {date}.";
    RatesEnd: "Für die Tage danach ist der Basiszins noch nicht bekannt. Wir rechnen sie aus, \
               wenn er da ist.",
        "For the days after, the base rate is not known yet. We add them once it is published.";
    LineWhat: "Tag und Posten", "Day and item";
    LineInvoiced: "Rechnung", "Invoice";
    LineAdjusted: "Rechnung geändert", "Invoice changed";
    LineCancelled: "Rechnung gilt nicht mehr", "Invoice cancelled";
    LineCredited: "Gutschrift", "Credit note";
    LineRemitted: "Ihr Einwand war richtig", "Your objection was right";
    LineFee: "Kosten für unsere Mahnung", "Cost of our reminder";
    LineLumpSum: "Pauschale für Firmen im Verzug (§ 288 (5) BGB)",
        "Lump sum for businesses in default (§ 288 (5) BGB)";
    LineBankFee: "Kosten der Bank: Ihre Zahlung ging zurück",
        "Bank charge: your payment was returned";
    LineInterest: "Zinsen vom {from} bis {to}", "Interest from {from} to {to}";
    InterestOn: "{days} auf {amount}, im Jahr {percent}.",
        "{days} on {amount}, {percent} a year.";
    InterestOverBase: "{days} auf {amount}, im Jahr {percent}. Das ist der Basiszins von {base} \
                       plus {points} Punkte.",
        "{days} on {amount}, {percent} a year. That is the base rate of {base} plus {points} points.";
    OneDay: "1 Tag", "1 day";
    Days: "{count} Tage", "{count} days";
    LinePaid: "Ihre Zahlung", "Your payment";
    LinePaidFees: "Ihre Zahlung, für Kosten", "Your payment, for costs";
    LinePaidInterest: "Ihre Zahlung, für Zinsen", "Your payment, for interest";
    LineWaived: "Erlassen", "Waived";
    LineWaivedFees: "Kosten erlassen", "Costs waived";
    LineWaivedInterest: "Zinsen erlassen", "Interest waived";
    LineWrittenOff: "Fordern wir nicht mehr", "No longer asked for";
    LineWrittenOffFees: "Kosten fordern wir nicht mehr", "Costs no longer asked for";
    LineWrittenOffInterest: "Zinsen fordern wir nicht mehr", "Interest no longer asked for";
    SumAll: "Für alles zusammen sind {amount} offen.", "For all of it, {amount} is open.";
    UsedTitle: "So haben wir Ihr Geld verwendet", "How we used your money";
    UsedFor: "{amount} für die Rechnung {invoice}", "{amount} for invoice {invoice}";
    UsedForFees: "{amount} für Kosten der Rechnung {invoice}",
        "{amount} for costs of invoice {invoice}";
    UsedForInterest: "{amount} für Zinsen der Rechnung {invoice}",
        "{amount} for interest on invoice {invoice}";
    UsedImplied: "Sie haben keine Rechnung genannt. Die Summe passte genau zu dieser.",
        "You named no invoice. The amount was exactly that of this one.";
    WentBack: "{amount} gingen an Sie zurück", "{amount} went back to you";
    Reassigned: "Am {date} haben wir eine Zahlung anders zugeordnet, die wir hier angerechnet hatten.",
        "On {date} we assigned a payment elsewhere that we had counted here.";
    NotUsed: "{amount} haben wir noch nicht verwendet", "{amount} is not used yet";

    // ---- why there is interest
    DefaultNotice: "Ihr Verzug begann am {date}, weil die Frist aus unserer Mahnung vorbei war.",
        "Your default began on {date}, since the deadline in our formal reminder had passed.";
    DefaultMahnung: "Ihr Verzug begann am {date}, weil wir Sie gemahnt hatten.",
        "Your default began on {date}, since we had sent you a formal reminder.";
    DefaultAgreed: "Ihr Verzug begann am {date}, weil der Tag vorbei war, den wir fest vereinbart \
                    hatten.",
        "Your default began on {date}, since the day that we had agreed on had passed.";
    DefaultThirtyDays: "Ihr Verzug begann am {date}, weil die 30 Tage vorbei waren, die das Gesetz \
                        gibt.",
        "Your default began on {date}, since the 30 days that the law gives had passed.";
    DefaultDeclared: "Ihr Verzug begann am {date}. Fragen Sie uns gern nach dem Grund.",
        "Your default began on {date}. Please ask us for the reason.";
    DefaultEnded: "Er war am {date} zu Ende, weil Sie dann mehr Zeit zum Zahlen bekamen.",
        "It was over on {date}, since you then got more time to pay.";

    // ---- what became of what we were told
    UnansweredTitle: "Ihre Bitte um Hilfe", "Your request for help";
    UnansweredText: "Am {date} haben Sie uns gesagt, dass Sie nicht zahlen können. Wir wollten uns \
                     bei Ihnen melden. Soweit wir sehen, haben wir das nicht getan. Das tut uns \
                     leid.",
        "On {date} you told us that you cannot pay. We meant to get in touch with you. As far as \
         we can see, we did not. We are sorry.";
    UnansweredNext: "Rufen Sie uns bitte an oder schreiben Sie uns: Wie das geht, steht ganz \
                     unten. Oder sagen Sie es uns hier noch einmal. Dann machen wir wieder eine \
                     Pause.",
        "Please call or write to us: the bottom of this page shows how. Or tell us once more \
         here. Then we pause again.";
    UnansweredAgain: "Noch einmal sagen: Ich kann nicht zahlen", "Tell us again: I cannot pay";
    NotFoundTitle: "Wir haben Ihr Geld nicht gefunden", "We did not find your payment";
    NotFoundText: "Am {date} haben Sie uns gesagt, dass Sie schon gezahlt haben. Danke dafür. Wir \
                   haben gesucht und nichts gefunden.",
        "On {date} you told us that you had already paid. Thank you for that. We looked for it \
         and found nothing.";
    NotFoundNext: "Haben Sie gezahlt? Dann nennen Sie uns bitte noch einmal Tag, Summe und Zweck. \
                   Wir suchen dann weiter.",
        "If you did pay, please give us the day, amount and reference once more. Then we will \
         look again.";
    NotFoundAgain: "Noch einmal sagen: Ich habe schon gezahlt",
        "Tell us again: I have paid already";

    // ---- what we got wrong
    ApologyTitle: "Wir haben einen Fehler gemacht", "We made a mistake";
    ApologyWhich: "In unserer Nachricht vom {date} stand eine falsche Summe. Das tut uns leid.",
        "The amount in our message of {date} was wrong. We are sorry.";
    ApologyNothing: "Für die Rechnung {invoice} stand dort {amount}. Dabei war an dem Tag davon \
                     nichts mehr offen.",
        "It said {amount} for invoice {invoice}. In fact nothing of it was open on that day.";
    ApologyLess: "Für die Rechnung {invoice} stand dort {amount}. Richtig waren nur {right}.",
        "It said {amount} for invoice {invoice}. Only {right} was right.";
    ApologyWithout: "Zinsen und Kosten sind hier nicht mitgezählt.",
        "Interest and costs are not counted here.";
    ApologyDone: "Dafür müssen Sie nichts mehr zahlen. Unser Fehler kostet Sie nichts.",
        "There is nothing left to pay for it. Our mistake costs you nothing.";
    ApologyOpen: "Dafür sind jetzt noch {amount} offen. Unser Fehler kostet Sie nichts.",
        "Of it, {amount} is open now. Our mistake costs you nothing.";

    // ---- ways to pay
    ToPay: "So können Sie zahlen", "Ways to pay";
    PayTitle: "Jetzt {amount} zahlen", "Pay {amount} now";
    CardTitle: "Mit Karte", "By card";
    CardText: "Sie geben die Daten der Karte auf der Seite unseres Partners ein. Das kostet Sie \
               nichts.",
        "You enter your card on our partner's page. This costs you nothing.";
    CardButton: "{amount} mit Karte zahlen", "Pay {amount} by card";
    TransferTitle: "Von Ihrem Konto aus", "By bank transfer";
    QrText: "Öffnen Sie die App Ihrer Bank. Halten Sie dann das Handy vor dieses Bild.",
        "Open your bank's app. Then scan this picture with it.";
    QrLabel: "Code für die App Ihrer Bank. Alle Daten stehen auch als Text da.",
        "Code for your bank's app. All of it is also there as text.";
    TransferText: "Oder geben Sie diese Daten bei Ihrer Bank ein:",
        "Or enter these details at your bank:";
    TransferAlone: "Geben Sie diese Daten bei Ihrer Bank ein:", "Enter these details at your bank:";
    Payee: "An", "Payee";
    Iban: "IBAN", "IBAN";
    Bic: "BIC", "BIC";
    Amount: "Betrag", "Amount";
    PaymentReference: "Verwendungszweck", "Reference";
    ReferenceOfInvoice: "Daran erkennen wir: Es geht um Ihre Rechnung {id}.",
        "This tells us that it is for your invoice {id}.";
    ReferenceOfDebtor: "Daran erkennen wir Sie. Ihre Nummer bei uns ist {id}.",
        "This tells us that it is from you. Your number with us is {id}.";

    // ---- ways out
    ExitsTitle: "Passt etwas nicht?", "Is something not right?";
    ExitPaid: "Ich habe schon gezahlt", "I have paid already";
    ExitPaidHint: "Wir suchen dann nach dem Geld.", "We will look for the money.";
    ExitDisagree: "Da stimmt etwas nicht", "I disagree";
    ExitDisagreeHint: "Sagen Sie uns, was falsch ist. Wir prüfen es.",
        "Tell us what is wrong. We will check it.";
    ExitLater: "Ich zahle später", "I will pay later";
    ExitLaterHint: "Sie nennen uns einen Tag. Bis dahin mahnen wir Sie nicht.",
        "You name a day. We will not send reminders until then.";
    ExitPlan: "Ich zahle in Raten", "I will pay in instalments";
    ExitPlanHint: "Sie sehen erst alle Raten und sagen dann Ja.",
        "You see all instalments first and then say yes.";
    ExitHelp: "Ich kann nicht zahlen", "I cannot pay";
    ExitHelpHint: "Wir machen eine Pause und suchen mit Ihnen einen Weg.",
        "We pause and look for a way with you.";
    PaidIntro: "Sagen Sie uns, wann Sie gezahlt haben. Dann finden wir das Geld schnell. Wir \
                mahnen Sie so lange nicht.",
        "Tell us when you paid, so that we find the money quickly. We will not send reminders \
         meanwhile.";
    PaidOn: "An welchem Tag?", "On which day?";
    PaidAmount: "Wie viel?", "How much?";
    PaidReference: "Was stand im Verwendungszweck?", "What was the reference?";
    PaidButton: "So absenden", "Send";
    Optional: "Wenn Sie es wissen", "If you know it";
    DateHint: "Zum Beispiel: 31.12.2026", "For example: 31/12/2026";
    DisagreeIntro: "Sagen Sie uns, was nicht stimmt. Wir sehen es uns an. Bis dahin müssen Sie \
                    das nicht zahlen.",
        "Tell us what is not right. We will look at it. You need not pay it until then.";
    DisagreeClaims: "Um welche Rechnung geht es?", "Which invoice is it about?";
    DisagreeReason: "Was stimmt nicht?", "What is not right?";
    ReasonHint: "Ein Satz reicht. Es gehen bis zu 1000 Zeichen.",
        "One sentence will do. At most 1000 characters.";
    DisagreeButton: "Einwand absenden", "Send objection";
    LaterIntro: "Wann können Sie alles zahlen? Der letzte Tag, der geht, ist der {date}. Es \
                 kostet Sie nichts.",
        "When can you pay all of it? The last possible day is {date}. It costs you nothing.";
    LaterInterest: "Zahlen Sie bis zu Ihrem Tag alles, kommen ab heute keine Zinsen dazu. Sonst \
                    zählen sie so, als gäbe es den Tag nicht.",
        "If you pay all of it by your day, no interest is added from today. If not, it counts as \
         if there were no such day.";
    LaterUntil: "Ich zahle bis zum", "I will pay by";
    LaterButton: "Das sage ich zu", "I promise";
    HelpIntro: "Das kann jedem mal so gehen. Wir mahnen Sie für 30 Tage nicht. Ein Mensch sucht \
                in der Zeit mit Ihnen nach einem Weg.",
        "This can happen to anyone. We will not send reminders for 30 days. A person will look \
         for a way with you in that time.";
    HelpAdvice: "Rat von anderen kostet Sie meist nichts:", "Advice from others is mostly free:";
    HelpReason: "Wollen Sie uns dazu etwas sagen?", "Would you like to tell us more?";
    HelpReasonHint: "Sie müssen hier nichts sagen. Es gehen bis zu 1000 Zeichen.",
        "You need not say anything. At most 1000 characters.";
    HelpButton: "Pause machen", "Ask for a pause";
    PlanIntro: "Wann soll es losgehen? Der letzte Tag für die erste Rate ist der {date}.",
        "When shall it begin? The last day for the first instalment is {date}.";
    FirstOn: "Erste Rate am", "First instalment on";
    FirstWrong: "Dieser Tag geht nicht. Der letzte Tag für die erste Rate ist der {date}.",
        "This day is not possible. The last day for the first instalment is {date}.";
    ShowRates: "Raten zeigen", "Show instalments";
    PlanTitle: "{count} Raten", "{count} instalments";
    RatesCaption: "Alle Raten", "All instalments";
    RateDay: "Bis zum", "By";
    RatesSum: "In Summe", "Sum";
    RateState: "Stand", "Status";
    RateDone: "Erledigt", "Done";
    RateMissing: "Es fehlen noch {amount}", "{amount} still to pay";
    RateAhead: "Kommt noch", "To come";
    NoExtraCost: "Das kostet Sie nichts extra.", "This costs you nothing extra.";
    PlanButton: "Ja, ich zahle in {count} Raten", "Yes, I will pay in {count} instalments";

    // ---- what is wrong with a form
    ErrorsTitle: "Das hat noch nicht geklappt", "There is a problem";
    FormTooOld: "Diese Seite war zu lange offen. Bitte senden Sie es jetzt noch einmal.",
        "This page was open for too long. Please send it again now.";
    NotNow: "Das geht jetzt nicht mehr. Sehen Sie bitte nach, was nun gilt.",
        "This is not possible any more. Please check what is true now.";
    DateWrong: "Geben Sie bitte einen Tag an, so wie 31.12.2026.",
        "Please enter a day such as 31/12/2026.";
    DateAhead: "Dieser Tag kommt erst noch. Wann haben Sie gezahlt?",
        "This day is still to come. When did you pay?";
    DateLongAgo: "Dieser Tag ist zu lange her. Wann haben Sie gezahlt?",
        "This day is too long ago. When did you pay?";
    AmountWrong: "Geben Sie die Summe bitte so an: 12,50", "Please enter the amount as 12.50";
    ReferenceLong: "Dieser Text ist zu lang. Es gehen bis zu 140 Zeichen.",
        "The reference is too long. At most 140 characters.";
    ReasonMissing: "Sagen Sie uns bitte, was nicht stimmt.", "Please tell us what is not right.";
    ReasonLong: "Der Text ist zu lang. Es gehen bis zu 1000 Zeichen.",
        "The text is too long. At most 1000 characters.";
    InvoiceMissing: "Wählen Sie bitte eine Rechnung aus.", "Please choose an invoice.";
    InvoiceWrong: "Diese Wahl geht nicht mehr. Bitte sehen Sie noch einmal nach.",
        "This choice is not possible any more. Please check again.";
    NothingOwed: "Es ist nichts mehr offen. Sie müssen nichts tun.",
        "Nothing is open any more. There is nothing to do.";
    DayPassed: "Dieser Tag ist schon vorbei. Nehmen Sie bitte heute oder einen Tag danach.",
        "This day has passed. Please choose today or a later day.";
    TooLate: "Das ist uns zu spät. Der letzte Tag, der geht, ist der {date}.",
        "This is too late. The last possible day is {date}.";
    PromiseRuns: "Sie haben uns schon den {date} genannt.", "You have already named {date}.";
    PromiseBroken: "Zum letzten Tag, den Sie genannt haben, kam kein Geld an. Einen neuen Tag können \
        Sie hier ab dem {date} nennen. Rufen Sie uns bitte an, wenn Sie mehr Zeit brauchen.",
        "No payment came by the day you last named. You can name a new day here from {date}. \
        Please call us if you need more time.";
    PlanRuns: "Sie zahlen schon in Raten.", "You already pay in instalments.";
    NotOffered: "Diese Raten gehen leider nicht. Rufen Sie uns bitte an.",
        "These instalments are not possible. Please call us.";
    AmountChanged: "Die Summe oder der Tag passt nicht mehr. Sehen Sie bitte noch einmal nach.",
        "The amount or the day has changed. Please check again.";

    // ---- back from the provider
    BookedTitle: "Ihr Geld ist da", "Your money has arrived";
    BookedText: "Danke! Wir haben {amount} von Ihnen bekommen. Es wird kein zweites Mal \
                 abgebucht.",
        "Thank you! We received {amount} from you. You will not be charged twice.";
    InProgressTitle: "Die Zahlung läuft noch", "The payment is in progress";
    InProgressText: "Wir warten noch auf ein Wort von unserem Partner. Zahlen Sie bitte nicht \
                     noch einmal.",
        "We are waiting for word from our partner. Please do not pay again.";
    NotFinishedText: "Bis jetzt ist kein Geld bei uns angekommen.", "So far no money has arrived.";
    AskAgain: "Noch einmal nachsehen", "Check again";
    FailedTitle: "Das hat nicht geklappt", "The payment failed";
    FailedText: "Die Karte wurde nicht belastet. Sie können es noch einmal oder anders probieren.",
        "Your card was not charged. You can try again or pay in another way.";
    OvertakenTitle: "Der Stand ist nun ein anderer", "The amount has changed";
    OvertakenText: "In der Zeit hat sich die Summe geändert. Diese Zahlung gilt darum nicht mehr. \
                    Sehen Sie bitte nach, was jetzt offen ist.",
        "The amount has changed meanwhile, so this payment is void. Please check what is open \
         now.";
    NothingCharged: "Es wurde nichts abgebucht.", "Nothing was charged.";
    SandboxTitle: "Test mit Karte", "Card test";
    SandboxText: "Hier wäre die Seite des Partners, der die Karte prüft. Es fließt kein Geld.",
        "The payment partner's page would be here. No money moves.";
    SandboxPay: "Zahlen", "Pay";
    SandboxLate: "Zahlen, aber die Nachricht kommt zu spät", "Pay, but the message comes late";
    SandboxFail: "Zahlung geht schief", "Let the payment fail";

    // ---- links and forms that do not work
    UnknownTitle: "Diese Seite gibt es nicht", "This page does not exist";
    UnknownText: "Der Link ist falsch, oder er gilt nicht mehr. Es wurde nichts abgebucht.",
        "The link is wrong, or it is not valid any more. Nothing was charged.";
    UnknownNext: "Nehmen Sie bitte den Link aus unserer letzten Nachricht an Sie. Oder fragen Sie \
                  den Shop, der Ihnen schrieb.",
        "Please use the link in our latest message to you. Or ask the shop that wrote to you.";
    ExpiredTitle: "Dieser Link ist zu alt", "This link is too old";
    ExpiredText: "Zu Ihrem Schutz geht jeder Link nur für eine gewisse Zeit.",
        "To protect you, each link works for a certain time only.";
    RenewText: "Wir senden Ihnen gern einen neuen. Er geht an Ihre Adresse, die wir schon haben.",
        "We can send you a new one. It goes to the address that we have on file.";
    RenewButton: "Neuen Link senden", "Send a new link";
    RenewAsk: "Melden Sie sich bitte bei uns. Wir senden Ihnen dann einen neuen.",
        "Please contact us. We will then send you a new one.";
    RenewedTitle: "Der neue Link ist auf dem Weg", "The new link is on its way";
    RenewedText: "Sehen Sie bitte in Ihre Mails oder auf Ihr Handy.",
        "Please check your email or your phone.";
    ElsewhereTitle: "Das ging nicht", "That did not work";
    ElsewhereText: "Die Daten kamen von einer fremden Seite. Wir haben sie nicht genommen. Öffnen \
                    Sie bitte den Link aus unserer Nachricht.",
        "This was sent from another site. We did not take it. Please open the link in our \
         message.";
    TooManyTitle: "Das ging zu schnell", "That was too fast";
    TooManyText: "Warten Sie bitte eine Minute. Dann geht es weiter.",
        "Please wait a minute. Then try again.";
    BadFormTitle: "Das ging nicht", "That did not work";
    BadFormText: "Wir konnten das nicht lesen. Es ist nichts passiert. Gehen Sie bitte zurück und \
                  senden es noch einmal.",
        "We could not read this. Nothing happened. Please go back and send it again.";
    FaultTitle: "Das liegt an uns", "This is our fault";
    FaultText: "Gerade klappt etwas nicht. Es wurde nichts abgebucht. Bitte probieren Sie es in \
                ein paar Minuten noch einmal.",
        "Something does not work right now. Nothing was charged. Please try again in a few \
         minutes.";
}

#[cfg(test)]
mod tests;
