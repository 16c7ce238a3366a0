//! What is true of an account now, in one word, and the one table of what may be done then.

use jiff::civil::Date;
use kulanz_domain::{
    Account,
    account::{NoticeState, Placement, PlacementState, Plan, Standing},
    arrangement::{last_promise_day, missing_of_rates, offers, owes_as_minor, plannable},
    book::{Book, ClaimBook},
    event::Rate,
    fact::PayWith,
    ids::{AgencyId, InvoiceId},
    money::{Currency, Decimal, Money},
    pleas::HARDSHIP,
    policy::{PlanTerms, Rules},
    searches::PAYMENT_SEARCH,
};

/// The state of a case as its debtor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaseState {
    /// Something is owed and nothing stands in the way of paying it.
    Open,
    /// Nothing is owed.
    Paid,
    /// All that is owed is disputed.
    Disputed,
    /// A promise runs.
    Promised,
    /// Instalments run.
    Planned,
    /// The debtor says that it was paid: somebody looks for the money.
    PaymentSearch,
    /// The debtor cannot pay: a person decides.
    Hardship,
    /// Another hold.
    Held,
    /// All that is asked for was bought by a minor: a person sees whether it binds them.
    Minor,
    /// All that is owed is with an agency.
    Placed,
    /// Somebody acts for the debtor.
    Represented,
    /// Insolvency was opened.
    Insolvent,
    /// The debtor died.
    Deceased,
    /// The link is too old.
    Expired,
    /// No link of ours, or its account was erased.
    Unknown,
}

/// Something that may be done on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// See what is owed and for what.
    See,
    /// Pay.
    Pay,
    /// Say that it was paid already.
    Paid,
    /// Disagree.
    Disagree,
    /// Promise a day.
    Later,
    /// Agree instalments.
    Plan,
    /// Say that it cannot be paid.
    Help,
    /// Have a new link sent.
    Renew,
}

impl CaseState {
    /// The table: what may be done in each state.
    pub(crate) const fn may(self) -> &'static [Deed] {
        use Deed::*;
        match self {
            Self::Open => &[See, Pay, Paid, Disagree, Later, Plan, Help],
            Self::Paid => &[See],
            Self::Disputed => &[See, Paid, Help],
            Self::Promised => &[See, Pay, Paid, Disagree, Plan, Help],
            Self::Planned => &[See, Pay, Paid, Disagree, Help],
            Self::PaymentSearch => &[See, Disagree, Help],
            Self::Hardship => &[See, Pay, Paid, Disagree],
            Self::Held | Self::Minor => &[See, Pay, Paid, Disagree, Help],
            Self::Placed => &[See, Paid, Disagree, Help],
            Self::Represented => &[See, Pay, Paid, Disagree],
            Self::Insolvent | Self::Deceased | Self::Unknown => &[],
            Self::Expired => &[Renew],
        }
    }

    /// Whether `deed` may be done.
    pub(crate) fn allows(self, deed: Deed) -> bool {
        self.may().contains(&deed)
    }
}

/// An account as its page shows it.
pub(crate) struct Case<'a> {
    pub state: CaseState,
    pub account: &'a Account,
    /// In the order of the currencies' codes; those with neither claims nor money are left out.
    pub sections: Vec<Section<'a>>,
    /// Last day of the hold or promise behind `state`, where it has one.
    pub until: Option<Date>,
    /// The debtor is a minor still: they can pay what they owe, and promise nothing without a parent.
    pub minor: bool,
}

/// What there is in one currency.
pub(crate) struct Section<'a> {
    pub book: Book<'a>,
    /// Day up to which interest is counted.
    pub today: Date,
    /// Principal, fees and interest owed: the sum of the page.
    pub open: Decimal,
    /// What is asked for now: without what is disputed or with an agency; of instalments the
    /// next rate.
    pub due_now: Decimal,
    /// Claims that `due_now` is for.
    pub payable: Vec<&'a InvoiceId>,
    /// Instalments that run, with the next rate's day and what is missing of it.
    pub plan: Option<(&'a Plan, Rate)>,
}

impl<'a> Case<'a> {
    pub(crate) fn of(account: &'a Account, today: Date) -> Self {
        let currencies = account.currencies().into_iter();
        let sections: Vec<Section<'a>> =
            currencies.map(|currency| Section::of(account, currency, today)).collect();
        let (state, until) = state(account, &sections, today);
        Self { state, account, sections, until, minor: account.is_minor(today) }
    }

    /// Whether `deed` may be done: by the table, and no promise or plan by whom it would not bind.
    pub(crate) fn allows(&self, deed: Deed) -> bool {
        self.state.allows(deed)
            && match deed {
                Deed::Later => !self.minor && !owes_as_minor(self.account),
                Deed::Plan => !self.minor,
                _ => true,
            }
    }

    /// Any money came: where nothing is open, that is why, or a part of it.
    pub(crate) fn has_paid(&self) -> bool {
        let currencies = || self.sections.iter().map(|section| section.book.currency);
        let mut payments = self.account.payments.values();
        payments.any(|payment| currencies().any(|currency| payment.net(currency).is_some()))
    }

    /// The section of `currency`.
    pub(crate) fn section(&self, currency: Currency) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.book.currency == currency)
    }

    /// Agencies that claims are with.
    pub(crate) fn agencies(&self) -> Vec<&'a AgencyId> {
        let mut found: Vec<&AgencyId> = Vec::new();
        for placement in self.account.placements.values().filter(|one| with_agency(one)) {
            if !found.contains(&&placement.agency) {
                found.push(&placement.agency);
            }
        }
        found
    }

    /// Open claims that no dispute runs about.
    pub(crate) fn disputable(&self) -> impl Iterator<Item = (&ClaimBook<'a>, Currency)> {
        self.sections.iter().flat_map(|section| {
            let undisputed = section.claims().filter(|column| !column.claim.disputed());
            undisputed.map(|column| (column, section.book.currency))
        })
    }

    /// The last day that may be promised; `None` where no policy lets one promise.
    pub(crate) fn last_promise_day(&self, rules: &Rules, today: Date) -> Option<Date> {
        let owed = self.sections.iter().filter(|section| section.open > Decimal::ZERO);
        let policies = owed.filter_map(|section| rules.policy(section.book.currency));
        policies.map(|policy| last_promise_day(policy, today)).min()
    }

    /// Instalments that the policies offer from `first_on`, with all their rates.
    pub(crate) fn offers(
        &self,
        rules: &Rules,
        today: Date,
        first_on: Date,
    ) -> Vec<(Currency, PlanTerms, Vec<Rate>)> {
        let mut found = Vec::new();
        for section in &self.sections {
            let currency = section.book.currency;
            let Some(policy) = rules.policy(currency) else { continue };
            let (_, open) = plannable(self.account, currency, today);
            if open > Decimal::ZERO {
                let offered = offers(policy, open, first_on).into_iter();
                found.extend(offered.map(|(terms, rates)| (currency, terms, rates)));
            }
        }
        found
    }

    /// Interest runs on something that is open, or will unless it is paid before.
    pub(crate) fn bears_interest(&self) -> bool {
        self.sections.iter().flat_map(Section::claims).any(|column| column.bears_interest())
    }

    /// Interest is added today.
    pub(crate) fn accrues_today(&self) -> bool {
        self.sections.iter().any(|section| {
            section.claims().any(|column| {
                let last = column.interest_segments(section.today).into_iter().next_back();
                last.is_some_and(|one| one.segment.to == section.today)
            })
        })
    }

    /// Ways to pay in the order of the persona: as a person set them, as the last message said, else as the policy has
    /// it for everybody, with the debtor's own wishes first.
    pub(crate) fn pay_with(&self, rules: &Rules, currency: Currency) -> Vec<PayWith> {
        let said = |notice: &&kulanz_domain::account::Notice| {
            matches!(notice.state, NoticeState::Sent | NoticeState::Delivered)
                && notice.decided.currency == currency
        };
        let section = self.sections.iter().find(|one| one.book.currency == currency);
        if let Some(told) = section.and_then(|one| self.account.pay_with_override(one.today)) {
            return told.clone();
        }
        let last = self
            .account
            .notices
            .values()
            .map(AsRef::as_ref)
            .filter(said)
            .max_by_key(|notice| notice.sent_at);
        if let Some(last) = last {
            return last.decided.pay_with.clone();
        }
        let everybody = rules.policy(currency).and_then(|policy| policy.personas.last());
        let mut ways = everybody.map(|persona| persona.pay_with.clone()).unwrap_or_default();
        if let Some(debtor) = self.account.profile() {
            let wished = &debtor.pays_with;
            ways.sort_by_key(|way| wished.iter().position(|w| w == way).unwrap_or(wished.len()));
        }
        ways
    }
}

impl<'a> Section<'a> {
    fn of(account: &'a Account, currency: Currency, today: Date) -> Self {
        let book = Book::of(account, currency);
        let open = book.open_on(today);
        let mut section =
            Self { book, today, open, due_now: Decimal::ZERO, payable: Vec::new(), plan: None };
        let runs = |plan: &&Plan| {
            plan.standing == Standing::Open && plan.currency == currency && binds(account, plan)
        };
        let plan = account.plans.values().find(runs);
        let is_asked = |column: &&ClaimBook<'_>| {
            column.open_on(today) > Decimal::ZERO && asked(account, column)
        };
        // What may not bind the debtor does not take the money for what does.
        let binding = |column: &ClaimBook<'_>| !made_by_minor(account, column);
        let any_binding = section.book.claims.iter().filter(is_asked).any(binding);
        for column in section.book.claims.iter().filter(is_asked) {
            if binding(column) || !any_binding {
                section.payable.push(column.invoice);
                if plan.is_none_or(|plan| !plan.claims.contains(column.invoice)) {
                    section.due_now += column.open_on(today);
                }
            }
        }
        if let Some((plan, rate)) =
            plan.and_then(|plan| Some((plan, next_rate(account, plan, today)?)))
        {
            section.due_now += rate.amount;
            section.plan = Some((plan, rate));
        }
        section
    }

    /// Claims on which something is open.
    pub(crate) fn claims(&self) -> impl Iterator<Item = &ClaimBook<'a>> {
        self.book.claims.iter().filter(|column| column.open_on(self.today) > Decimal::ZERO)
    }

    /// The one claim that a payment of `due_now` is for, where it is for one.
    pub(crate) fn single(&self) -> Option<&'a InvoiceId> {
        match self.payable[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    pub(crate) const fn money(&self, amount: Decimal) -> Money {
        Money::new(amount, self.book.currency)
    }
}

/// What is missing of the rates due by `today`, else of the next one.
fn next_rate(account: &Account, plan: &Plan, today: Date) -> Option<Rate> {
    let mut found: Option<Rate> = None;
    for (rate, missing) in missing_of_rates(account, plan, today) {
        if missing <= Decimal::ZERO {
            continue;
        }
        if rate.due_on > today && found.is_some() {
            break;
        }
        let (due_on, before) = found.map_or((rate.due_on, Decimal::ZERO), |r| (r.due_on, r.amount));
        found = Some(Rate { due_on, amount: before + missing });
    }
    found
}

fn with_agency(placement: &Placement) -> bool {
    placement.state == PlacementState::Released
}

/// Neither disputed nor with an agency.
fn asked(account: &Account, column: &ClaimBook<'_>) -> bool {
    !column.claim.disputed() && !placed(account, column)
}

/// A minor bought it, and no person has seen that it binds them.
pub(crate) fn made_by_minor(account: &Account, column: &ClaimBook<'_>) -> bool {
    column.claim.made_by_minor(account.profile()).is_some()
}

/// Nothing in the plan was bought by a minor: it was agreed before anybody knew.
fn binds(account: &Account, plan: &Plan) -> bool {
    let mut claims = plan.claims.iter().filter_map(|id| account.claims.get(id));
    claims.all(|claim| claim.made_by_minor(account.profile()).is_none())
}

/// The claim is out of the house: the agency takes the money.
fn placed(account: &Account, column: &ClaimBook<'_>) -> bool {
    placed_with(account, column).is_some()
}

/// The agency that the claim is with.
pub(crate) fn placed_with<'a>(
    account: &'a Account,
    column: &ClaimBook<'_>,
) -> Option<&'a AgencyId> {
    let placement = column.claim.placement.as_ref().and_then(|id| account.placements.get(id))?;
    with_agency(placement).then_some(&placement.agency)
}

fn state(account: &Account, sections: &[Section<'_>], today: Date) -> (CaseState, Option<Date>) {
    if account.erased_at.is_some() {
        return (CaseState::Unknown, None);
    }
    if account.deceased_on.is_some() {
        return (CaseState::Deceased, None);
    }
    if account.insolvent_on.is_some() {
        return (CaseState::Insolvent, None);
    }
    let open = || sections.iter().flat_map(Section::claims);
    if open().next().is_none() {
        return (CaseState::Paid, None);
    }
    if account.profile().is_some_and(|debtor| debtor.represented) {
        return (CaseState::Represented, None);
    }
    if open().all(|column| placed(account, column)) {
        return (CaseState::Placed, None);
    }
    let holds = account.holds.values().filter(|hold| !hold.released);
    let holds = holds.filter_map(|hold| hold.placed.as_ref());
    let account_wide = holds.filter(|hold| hold.invoice.is_none());
    let running = account_wide.filter(|hold| hold.until.is_none_or(|until| until >= today));
    let rank = |owner: &str| match owner {
        PAYMENT_SEARCH => (0, CaseState::PaymentSearch),
        HARDSHIP => (1, CaseState::Hardship),
        _ => (2, CaseState::Held),
    };
    if let Some(hold) = running.min_by_key(|hold| rank(&hold.owner).0) {
        return (rank(&hold.owner).1, hold.until);
    }
    if !open().any(|column| asked(account, column)) {
        return (CaseState::Disputed, None);
    }
    if open().filter(|column| asked(account, column)).all(|column| made_by_minor(account, column)) {
        return (CaseState::Minor, None);
    }
    if sections.iter().any(|section| section.plan.is_some()) {
        return (CaseState::Planned, None);
    }
    let promise = account.promises.values().find(|one| one.standing == Standing::Open);
    match promise {
        Some(promise) => (CaseState::Promised, Some(promise.until)),
        None => (CaseState::Open, None),
    }
}
